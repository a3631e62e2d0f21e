"""LiDAR sweeps, tile by tile: points (P, 4) float32 of x, y, z in metres from the sensor, and intensity."""
