"""Electrocardiograms: (12, T) float32 millivolts, a row a lead, NaN where a lead was not recorded."""
