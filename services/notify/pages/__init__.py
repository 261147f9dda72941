"""Notify's pages: somebody's day, the venue screen, the embedded mailbox."""
