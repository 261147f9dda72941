"""Who meets whom, when and where: scores, preferences, schedules, and the running day."""
