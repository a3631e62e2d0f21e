"""Frozen features: pooled, probed, compared with the untrained encoder and with raw features."""
