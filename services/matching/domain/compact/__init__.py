"""Schedules with few idle gaps: what is asked, what cannot be, what no schedule can do better."""
