"""Agreement of two methods of measurement, and validation studies of one against readers.

statistics  a table of readings and a protocol -> estimates with intervals
report      these as pages and plots
study       protocol, sample size, blind sheets for readers, analysis

A subject may have several targets, such as a left and a right side. Each target is measured by two methods, by one or
more raters, in one or more sessions; each single measurement is a reading.
"""
