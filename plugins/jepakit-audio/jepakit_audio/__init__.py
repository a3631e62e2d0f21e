"""Audio for jepakit: recipes and maskers."""
