"""Benchmarks: Tradewind beside a peer or a physical limit, in one run on one machine.

Each ends with one JSON line: its name, ratios, and the figures behind them.
"""
