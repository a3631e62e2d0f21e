"""A trained encoder as users meet it: loaded from a run or an exported folder, called on samples, written to files."""
