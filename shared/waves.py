"""Waves: how long after a mission its results are asked for and counted."""

WAVES = (0, 90, 180, 365)
"""Days after a mission's last stop: results come late (GAO-11-909)."""
