"""Verifying: asks the databases of an installation whether what is promised is so.

It reads, and changes nothing. What it asks is said in another way than the services say it: counts
are counted again, and overlaps are looked for in the meetings, not in what keeps them apart.
"""
