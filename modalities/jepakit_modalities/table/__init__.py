"""Tables: one row a sample, (F,) float64, columns in the order of their names."""
