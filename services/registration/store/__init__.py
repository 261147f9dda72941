"""SQL of registration: one statement a function, rows turned into values here."""
