"""The rules of registration, free of clocks, databases and networks."""
