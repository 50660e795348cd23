"""Study: a validation study of one measurement against readers, from protocol to report.

sample_size    pairs of readings that a question needs
protocol       what is fixed beforehand; field_checks: its bounds; protocol_file: as YAML; template: a first draft
plan           patients to enrol for a protocol's figures
cases key      the targets to read; which code stands for which target, reader and session
sheets         what readers get
filled join    what comes back, checked, as one table; blinding: what must not be in it
analyse        statistics and report; statements: what the protocol says to the items of GRRAS
"""
