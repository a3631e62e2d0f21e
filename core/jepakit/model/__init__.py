"""The networks: attention, positions, encoder, predictors, and how they are put to work on index sets."""
