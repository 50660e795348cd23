"""Study: a validation study of one method of measurement against readers, from protocol to report.

sample_size    pairs of readings that a question needs
protocol       what is fixed beforehand: sections, which check themselves (checked); protocol_file: as YAML
plan           subjects to enrol, by the figures of a protocol
cases key      the targets to read; which code stands for which target, reader and session
sheets         what readers get
filled join    what comes back, checked, as one table; blinding: what must not be in it
analyse        statistics and report; statements: what the protocol states for the items of GRRAS
"""
