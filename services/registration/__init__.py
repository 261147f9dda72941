"""Who takes part: missions, stops, programmes, organisations, people, registrations, check-in."""
