"""What registration does: each command is one transaction, its event among what it writes."""
