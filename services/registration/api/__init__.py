"""HTTP of registration: routes parse, call and render."""
