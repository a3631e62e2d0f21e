"""Joint-embedding prediction on tables: a token a column."""
