"""SQL of matching: one statement a function, rows turned into values here."""
