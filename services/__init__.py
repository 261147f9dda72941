"""The three services, and the one process that runs them together."""

import gc

GARBAGE_AFTER = 20_000
"""So many new objects, rather than 700, before cycles are looked for among them."""

# What is imported stays: to look through it again and again took a sixth of each start.
gc.set_threshold(GARBAGE_AFTER)
