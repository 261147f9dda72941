"""Use cases of matching: one transaction each."""
