"""Connectors to partners' registration systems: one file for each kind of system."""
