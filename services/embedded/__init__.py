"""The embedded shape: everything in one process, on servers that it starts by itself."""
