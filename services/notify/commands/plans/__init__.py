"""The day's plans on paper: who gets one, what it says, and how it is set."""
