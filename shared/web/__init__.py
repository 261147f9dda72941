"""What the pages of all services share: base template, words, styles."""
