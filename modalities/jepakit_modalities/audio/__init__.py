"""Audio: (C, T) float32 waveforms, full scale one, with their rate."""
