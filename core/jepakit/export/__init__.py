"""A trained encoder for other programs, compared with the original before it is handed over."""
