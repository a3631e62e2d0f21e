"""The report of a run: `artifacts` (what a run leaves behind), `figures` (how it is drawn), `page` (one self-contained HTML file)."""
