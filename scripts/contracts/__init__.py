"""Writes the contracts down: what others read of our events and our HTTP interface."""
