"""Images: (C, H, W) arrays as stored."""
