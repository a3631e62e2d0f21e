"""What data is before anything is trained on it: who can read it, what is in it, what is wrong with it, which recipe fits."""
