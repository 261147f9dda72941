"""Auditing: who did what, as every service notes it."""

from shared.auditing import Note, note, note_all

__all__ = ["Note", "note", "note_all"]
