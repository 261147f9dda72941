"""Benchmarks: Tradewind beside a peer or a physical limit, in one run on one machine.

Each ends with one JSON line: its name, ratios, and the figures behind them.
"""

import os

# Threads of linear algebra that wait for one another would count as work.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
