"""The three services, and the one process that runs them together."""
