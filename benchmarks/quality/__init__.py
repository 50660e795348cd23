"""Quality: every way to find metal, held against a truth that is known.

shapes       plain test pieces: plates, screws, rods, balls, cups
cases        what is simulated, and keeping it
methods      the ways to find metal
records      running a method on a case, measuring, keeping
oracles      what no method can do better than
figures      means with confidence intervals, by kind and overall
real         real scans
head_neck    coarse real scans with and without dental metal
targets      the table of targets
report       quality.md
pictures     charts and failures
"""
