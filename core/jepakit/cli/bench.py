"""`jepakit bench`: ratios measured on this machine, in one interleaved run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from jepakit.cli.policy import Policy
from jepakit.cli.screen import open_screen


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


@bench.command()
@click.argument("recipe")
@click.option("--data", required=True, help="Labelled data with a test split of its own, such as bundled:NAME.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the runs; those that are in it are not made again.")
@click.option("--runs", type=click.IntRange(min=5), default=30, show_default=True, help="Short runs of different options.")
@click.option("--vary", multiple=True, metavar="KEY=A|B|C", help="An option to draw from these values, in place of the usual ones.")
@click.option("--set", "fixed", multiple=True, metavar="KEY=VALUE", help="Change an option in all runs.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def measures(
    policy: Policy, recipe: str, data: str, out: Path, runs: int, vary: tuple[str, ...], fixed: tuple[str, ...], as_json: bool
) -> None:
    """Do label-free measures (RankMe, LiDAR, α-ReQ, …) tell good encoders from bad ones? Short runs of RECIPE, each measured and probed."""
    from jepakit.bench.measures import VARIED, run_bench
    from jepakit.bench.verdicts import lines_of, plot

    varied: Mapping[str, Sequence[str]] = {
        key: tuple(values.split("|")) for key, _, values in (one.partition("=") for one in vary)
    } or VARIED
    with open_screen(as_json) as emit:
        outcomes = run_bench(recipe, policy.host(), data, out, runs=runs, varied=varied, fixed=fixed, emit=emit)
    lines = lines_of(outcomes)
    plot(outcomes, out / "measures.svg", f"linear probe on test samples of {data}")
    if as_json:
        click.echo(json.dumps({"bench": "measures", "runs": len(outcomes), "lines": [asdict(line) for line in lines]}))
        return
    click.echo(f"{'measure':26s}  Spearman's ρ with the probe    keeps a run of   best run {lines[0].best:.3f}")
    for line in lines:
        click.echo(f"{line.measure:26s}  {line.correlation:+.2f} ({line.low:+.2f} to {line.high:+.2f})       {line.picked:.3f}")
    click.echo(f"plot  {out / 'measures.svg'}")


@bench.command()
@click.argument("names", nargs=-1)
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/quality"), show_default=True, help="Folder of the runs.")
@click.option("--quick", is_flag=True, help="Minutes in place of hours: only sets that need no download, for a hundred steps or so.")
@click.option("--steps", type=click.IntRange(min=1), help="Train every run for so many steps only, to see that all of it works.")
@click.option("--list", "only_list", is_flag=True, help="Say what would be measured.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def quality(policy: Policy, names: tuple[str, ...], out: Path, quick: bool, steps: int | None, only_list: bool, as_json: bool) -> None:
    """Train and evaluate recipes on the data they name; NAMES of recipes, sets, or bundled; all by default. Goes on where it stopped."""
    from jepakit.bench.quality import cases, markdown, run_bench, to_json

    host = policy.host()
    if only_list:
        listed = [{"recipe": case.recipe.name, "set": case.set.name, **asdict(case.set)} for case in cases(host, names, quick)]
        click.echo(json.dumps(listed) if as_json else "\n".join(f"{one['recipe']:20s} {one['set']:24s} {one['data']}" for one in listed))
        return
    with open_screen(as_json) as emit:
        entries = run_bench(host, out, names=names, quick=quick, steps=steps, emit=emit)
    click.echo(json.dumps(to_json(entries)) if as_json else "\n".join([*markdown(entries), "", f"kept  {out / 'quality.md'}"]))


@bench.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--data", required=True, help="The source that RUN was trained on; its test split is scored where it has one.")
@click.option("--against", required=True, help="A source that it never saw.")
@click.option("--limit", type=click.IntRange(min=10), default=300, show_default=True, help="Samples of each.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def density(policy: Policy, run: Path, data: str, against: str, limit: int, as_json: bool) -> None:
    """Does JEPA-SCORE of RUN find samples of another source better than their distance to the mean embedding does?"""
    from jepakit import engine
    from jepakit.bench.density import run_bench

    host = policy.host()
    config, _ = engine.config_of(run, host)
    with open_screen(as_json) as emit:
        found = run_bench(run, config, host, data=data, against=against, limit=limit, emit=emit)
    if as_json:
        click.echo(json.dumps({"bench": "density", **asdict(found)}))
        return
    click.echo(f"AUROC of {found.foreign} samples of {against} among {found.own} of {data}")
    for line in found.lines:
        gain = "" if line.name == found.lines[0].name else f"  JEPA-SCORE has {line.gain[0]:+.3f} to {line.gain[1]:+.3f} more"
        click.echo(f"  {line.name:32s} {line.value:.3f} ({line.low:.3f} – {line.high:.3f}){gain}")


def columns(row: Mapping[str, Any]) -> Iterator[str]:
    """One comparison in words."""
    yield f"batch {row['batch']:3d}"
    yield f"{row['precision']:12s}"
    yield f"{row['ratio']:.2f} times as fast (rounds {row['low']:.2f} to {row['high']:.2f})"
    yield f"{row['ours_ms']:.0f} ms against {row['published_ms']:.0f} ms"
    yield f"loss {row['loss_ours']:.6f} against {row['loss_published']:.6f}"
