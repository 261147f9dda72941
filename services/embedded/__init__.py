"""Everything in one process, with the servers it needs started beside it."""
