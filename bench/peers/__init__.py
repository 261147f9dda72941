"""Peers measured beside Tradewind: what it takes to run each on the same machine."""
