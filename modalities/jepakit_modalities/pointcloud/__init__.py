"""Point clouds: (P, 3 + F) float32, x y z first, then features of each point."""
