"""Time series: (C, T) float32 recordings, NaN where a value is missing."""
