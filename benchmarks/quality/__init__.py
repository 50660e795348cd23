"""Quality: every way to find metal, compared with a known truth.

shapes       plain test implants: plates, screws, rods, balls, cups
cases        what is simulated, and keeping it
methods      the ways to find metal
records      running a method on a case, measuring, keeping
oracles      upper bounds: what no method can do better than
figures      means with confidence intervals, by kind and overall
real         real scans
head_neck    coarse real scans with and without dental metal
targets      the table of targets
report       quality.md
pictures     charts and failures
"""
