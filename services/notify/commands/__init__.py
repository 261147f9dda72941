"""What notify does: keep the live state, answer who follows it, and send mail."""
