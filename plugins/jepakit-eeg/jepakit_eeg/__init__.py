"""Electroencephalograms: (C, T) float32, a row an electrode."""
