"""`jepakit bench`: ratios measured on this machine, in one interleaved run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import click


@click.group()
def bench() -> None:
    """Measure this machine."""


@bench.command()
@click.option("--batch", "batches", multiple=True, type=click.IntRange(min=1), default=(16, 64), show_default=True, help="Images a step.")
@click.option("--rounds", type=click.IntRange(min=1), default=7, show_default=True, help="Pairs of steps timed.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def step(batches: tuple[int, ...], rounds: int, as_json: bool) -> None:
    """Our training step against the published one written plainly, same weights and masks (ViT-Tiny, 96 pixels, patches of 8)."""
    from jepakit.bench.step import run_bench

    found = run_bench(batches, rounds)
    if as_json:
        click.echo(json.dumps(found))
        return
    click.echo(f"torch {found['torch']}, {found['threads']} threads, {rounds} rounds in turn; the published step runs in float32")
    for row in found["rows"]:
        click.echo("  ".join(columns(row)))


@bench.command()
@click.option("--batch", type=click.IntRange(min=1), default=16, show_default=True, help="Images a step.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def contracts(batch: int, as_json: bool) -> None:
    """What holding plugins to their contracts costs, as a share of a step (ViT-Tiny, 96 pixels, patches of 8)."""
    from jepakit.bench.contracts import run_bench

    found = run_bench(batch)
    if as_json:
        click.echo(json.dumps(found))
        return
    click.echo(f"step {found['step_ms']:.1f} ms, batch {batch}; {found['calls']} calls of components, all of them checked")
    click.echo(f"first calls  {found['first_ms']:.3f} ms, {found['first_percent']:.2f} % of the step")
    click.echo(f"later        {found['later_ms']:.4f} ms, {found['later_percent']:.4f} % of the step, on average")


def columns(row: Mapping[str, Any]) -> Iterator[str]:
    """One comparison in words."""
    yield f"batch {row['batch']:3d}"
    yield f"{row['precision']:12s}"
    yield f"{row['ratio']:.2f} times as fast (rounds {row['low']:.2f} to {row['high']:.2f})"
    yield f"{row['ours_ms']:.0f} ms against {row['published_ms']:.0f} ms"
    yield f"loss {row['loss_ours']:.6f} against {row['loss_published']:.6f}"
