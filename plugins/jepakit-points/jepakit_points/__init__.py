"""Point-JEPA and 3D-JEPA: point clouds as groups of neighbouring points."""
