"""The dry run of a mission, through the public API and the live stream alone."""
