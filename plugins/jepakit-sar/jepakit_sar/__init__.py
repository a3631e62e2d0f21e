"""Synthetic aperture radar: (C, H, W) amplitudes, without phase."""
