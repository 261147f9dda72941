"""What matching decides: scores, wishes, timetables, versions, and the states of a meeting."""
