"""Repairing the running day: as few meetings as possible dropped, moved, and people touched."""
