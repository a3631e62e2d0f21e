"""Rows in columns: a rich table as wide as the terminal, and lines that nothing wraps or cuts where the output goes to a file."""

from __future__ import annotations

import sys
from collections.abc import Sequence

PIPE_WIDTH = 1_000
"""Characters a line may have where no terminal limits it."""


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, keep: int = 1) -> None:
    """Print `rows` under `columns`. keep: how many columns from the left are never wrapped: names that are copied."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for number, column in enumerate(columns):
        table.add_column(column, no_wrap=number < keep, overflow="fold")
    for row in rows:
        table.add_row(*(_literal(cell) for cell in row))
    Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False).print(table)


def _literal(cell: str) -> str:
    """Square brackets mean markup to rich, and nothing to us."""
    from rich.markup import escape

    return escape(cell)
