"""The latency benchmark: engines and baselines in interleaved rounds, and the whole pipeline.

``scripts/bench_latency.py`` runs it; docs/reference/benchmark.md describes what it writes.
"""
