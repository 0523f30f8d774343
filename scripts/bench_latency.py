#!/usr/bin/env python3
"""How long depth takes on this machine, beside two baselines, and what the whole pipeline does.

python scripts/bench_latency.py --help
"""

import sys

from linescan.benchmark.command import main

if __name__ == "__main__":
    sys.exit(main())
