"""Who must know: live state, streams to browsers, messages."""
