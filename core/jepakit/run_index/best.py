"""Which run, and which of its checkpoints: chosen without a look at test samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jepakit.errors import JepakitError
from jepakit.run_index.kept import Kept, checkpoints_of, probed_step
from jepakit.run_index.summary import Summary

PROBED = "best cross-validated linear probe on training samples (best.json)"
SCORED = "best linear probe on training samples while it trained"
RANKED = "highest rank when it was saved"
LATEST = "the latest, as none is marked best"


@dataclass(frozen=True)
class Choice:
    """The run, its checkpoint, and the rule by which it was chosen, in words. others: runs that were looked at, best first."""

    run: Summary
    checkpoint: Kept
    rule: str
    others: tuple[Summary, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def choose(runs: Sequence[Summary]) -> Choice:
    """The best of several runs, or the best checkpoint of one.

    Runs that were evaluated go by their cross-validated score on training samples, the others by rank, those that collapsed last.
    Ranks of different widths or data can't be compared: the rule says so. JepakitError when no run has a checkpoint.
    """
    judged = [run for run in runs if run.chosen_by is not None]
    pool = judged or [run for run in runs if run.watch != "collapsed"] or list(runs)
    ordered = sorted(pool, key=lambda run: _worth(run, bool(judged)), reverse=True)
    for run in ordered:
        if kept := checkpoints_of(Path(run.path)):
            marked = next((one for one in kept if one.best), None)
            probed = marked is not None and marked.step == probed_step(Path(run.path))
            by = PROBED if probed else LATEST if marked is None else RANKED if marked.score is None else SCORED
            return Choice(run, marked or kept[-1], _rule(len(runs), judged, ordered) + f"checkpoint: {by}", tuple(ordered))
    raise JepakitError("none of these runs has a checkpoint; train one first, `jepakit train RECIPE --data DATA`")


def _worth(run: Summary, judged: bool) -> float:
    value = run.chosen_by if judged else run.rank
    return float("-inf") if value is None else value


def _rule(count: int, judged: Sequence[Summary], ordered: Sequence[Summary]) -> str:
    of_run = ""
    if count > 1 and judged:
        mixed = len({(run.data, run.metric) for run in judged}) > 1
        of_run = f"run: highest cross-validated score on training samples, of {len(judged)} runs that were evaluated"
        of_run += "; they differ in data or metric, so this compares unlike things. " if mixed else ". "
    elif count > 1:
        of_run = f"run: highest rank of the {len(ordered)} that did not collapse; none was evaluated (`jepakit eval RUN --data …`). "
    return of_run
