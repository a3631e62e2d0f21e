"""`jepakit train` and `jepakit resume`."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jepakit.cli.evaluate import evaluate_and_print
from jepakit.cli.policy import Policy
from jepakit.cli.ranks import others, own_rank
from jepakit.cli.screen import open_screen

if TYPE_CHECKING:
    from jepakit.train.loop import Result

plugin_files = click.option(
    "--plugin", "files", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A one-file plugin."
)
as_json = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
ranks_option = click.option(
    "--ranks", type=click.IntRange(min=1), default=1, show_default=True, help="Processes on this machine that share every batch."
)


@click.command()
@click.argument("recipe")
@click.option("--data", required=True, help="A path, bundled:NAME, or synthetic.")
@click.option("--test", "test", help="Evaluate on this when training is done.")
@click.option("--steps", type=click.IntRange(min=1), help="Optimiser steps.")
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), help="Wall-clock minutes, in place of steps.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change an option: --set encoder.width=384.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the run.  [default: runs/RECIPE-N]")
@click.option("--seed", type=click.IntRange(min=0), help="Of weights, masks and order.")
@click.option("--on-collapse", type=click.Choice(("warn", "stop")), help="What to do when the embeddings collapse.  [default: warn]")
@ranks_option
@plugin_files
@click.option("--dry-run", is_flag=True, help="Say what would be done; write nothing.")
@as_json
@click.pass_obj
def train(
    policy: Policy,
    recipe: str,
    data: str,
    test: str | None,
    steps: int | None,
    minutes: float | None,
    overrides: tuple[str, ...],
    out: Path | None,
    seed: int | None,
    on_collapse: str | None,
    ranks: int,
    files: tuple[Path, ...],
    dry_run: bool,
    as_json: bool,
) -> int:
    """Train RECIPE, the name of a recipe or a YAML file, on DATA."""
    given = {"train.seed": seed, "train.on_collapse": on_collapse}
    changes = [*overrides, *_length(steps, minutes), *(f"{key}={value}" for key, value in given.items() if value is not None)]
    host = policy.host(files)
    from jepakit.config import load_config

    config = load_config(recipe, changes, host)
    from jepakit import engine  # after the config is known to be right: this takes seconds

    if dry_run:
        plan = engine.plan(config, host, data)
        click.echo(json.dumps({"event": "plan", **plan.to_json()}) if as_json else "\n".join(plan.lines()))
        return 0
    run = out or free_folder(Path("runs"), config.recipe)
    if own_rank():
        return int(engine.train(config, host, data, run, silent).exit_code)
    same = ["train", recipe, "--data", data, *named("--set", changes), *named("--plugin", files), *policy.arguments()]
    with others(ranks, same), open_screen(as_json) as emit:
        result = engine.train(config, host, data, run, emit)
        emit(done(result, run))
    if test is not None and result.exit_code == 0:
        evaluate_and_print(run, host, data, test, as_json)
    if not as_json:
        click.echo(next_command(run, data, test, result.status))
    return int(result.exit_code)


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@ranks_option
@plugin_files
@as_json
@click.pass_obj
def resume(policy: Policy, run: Path, ranks: int, files: tuple[Path, ...], as_json: bool) -> int:
    """Go on with RUN from its newest checkpoint, with the data and the config that it was started with."""
    host = policy.host(files)
    from jepakit import engine

    if own_rank():
        return int(engine.resume(run, host, silent).exit_code)
    with others(ranks, ["resume", str(run), *named("--plugin", files), *policy.arguments()]), open_screen(as_json) as emit:
        result = engine.resume(run, host, emit)
        emit(done(result, run))
    if not as_json:
        click.echo(next_command(run, "DATA", None, result.status))
    return int(result.exit_code)


def silent(event: dict[str, Any]) -> None:
    """Shows nothing: rank 0 does."""


def named(option: str, values: Iterable[object]) -> list[str]:
    """The option once for every value, as a command line."""
    return [word for value in values for word in (option, str(value))]


def _length(steps: int | None, minutes: float | None) -> list[str]:
    """Overrides for --steps and --minutes; each takes the place of what the recipe says."""
    if steps is not None and minutes is not None:
        raise click.UsageError("--steps and --minutes exclude each other; give one of them.", click.get_current_context(silent=True))
    if steps is not None:
        return [f"train.steps={steps}", "train.minutes=null"]
    return [] if minutes is None else [f"train.minutes={minutes}", "train.steps=null"]


def done(result: Result, run: Path) -> dict[str, Any]:
    """The last event of a run."""
    return {"event": "done", "status": result.status, "step": result.step, "run": str(run), "sentence": result.sentence}


def free_folder(parent: Path, recipe: str) -> Path:
    """parent/recipe-1, or the first number that is not taken."""
    stem = recipe.rpartition("/")[2]
    return next(path for number in itertools.count(1) if not (path := parent / f"{stem}-{number}").exists())


def next_command(run: Path, data: str, test: str | None, status: str) -> str:
    """Where the run lies and what to type now."""
    if status == "interrupted":
        command = f"jepakit resume {run}"
    elif test is not None:
        command = f"jepakit report {run}"
    else:
        held_out = " --test TEST" if not data.startswith("bundled:") and data != "synthetic" else ""
        command = f"jepakit eval {run} --data {data}{held_out}"
    return f"run   {run}\nnext  {command}"
