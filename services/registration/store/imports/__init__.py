"""Partners' lists: the lists, their rows, and what they are compared with."""
