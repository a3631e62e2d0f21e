"""Video: V-JEPA, V-JEPA 2 and VJ-VCR."""
