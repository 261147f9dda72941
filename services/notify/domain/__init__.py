"""What notify decides: live entries and their places, who is mailed and when."""
