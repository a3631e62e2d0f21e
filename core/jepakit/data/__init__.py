"""From readers to batches: which samples, in which order, with which masks, put together how."""
