"""Mask, Mask -> overlap; many cases -> scores and tables.

overlap  two masks: Dice, volumes, surface distances
score    one case; scores: many cases, with a policy for empty masks; summary: means and spreads
pairs    mask files matched by name
tables   scores as CSV and JSON; text: as lines to read
"""
