"""Benchmarks that `jepakit bench` runs: ratios in one interleaved run, never absolute times."""
