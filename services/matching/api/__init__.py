"""HTTP of matching: routes parse, call and render."""
