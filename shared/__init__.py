"""What two or more services use today; it knows no business noun except in `events`."""
