"""Notify's own tables, and the live state in Redis."""
