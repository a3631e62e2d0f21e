"""`jepakit video-future`: does a run know what comes next, or is repeating what was seen last as good a guess?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np

RESAMPLES, BATCH, SYNTHETIC = 1000, 32, 256
"""Of the interval; clips at once; made-up clips."""


@click.command()
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--data", required=True, help="Clips that the run was not trained on; or synthetic.")
@click.option(
    "--seen", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.5, show_default=True, help="Share that is past."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def future(run: Path, data: str, seen: float, as_json: bool) -> None:
    """Predict the later part of every clip of DATA from the earlier one, in the space of RUN's own targets.

    ratio: squared error of the prediction over that of repeating, at each place, the target of the last moment seen; below 1 the run
    knows something of the future. The interval resamples clips. The untrained row has targets of its own, and is no fair opponent
    across rows.
    """
    found = {row: ratio_of(errors) for row, errors in future_errors(run, data, seen).items()}
    if as_json:
        click.echo(json.dumps({"rows": found, "run": str(run), "data": data, "seen": seen}))
        return
    for row, values in found.items():
        click.echo(f"{row:10}  ratio {values['ratio']:.3f} ({values['low']:.3f} – {values['high']:.3f}), {values['clips']:.0f} clips")


def future_errors(run: Path, data: str, seen: float) -> dict[str, np.ndarray]:
    """Row → (clips, 2): mean squared error of the prediction and of repetition, a clip."""
    from jepakit.sdk import DataError, parts_of
    from jepakit_modalities.video.modality import VideoModality

    modality = VideoModality()
    reader = modality.synthetic(SYNTHETIC, 1, "test") if data == "synthetic" else modality.open(data, "test")
    if len(reader.spec()["buckets"]) > 1:
        raise DataError(f"{data}: clips of several lengths can't be compared; give one ::frames and no ::stills")
    parts = parts_of(run, reader)
    pieces = np.array_split(np.arange(len(reader)), -(-len(reader) // BATCH))
    by_piece = [[reader.read(int(index)) for index in piece] for piece in pieces]
    return {row: np.concatenate([clip_errors(part, samples, seen) for samples in by_piece]) for row, part in parts.items()}


def clip_errors(parts: Any, samples: Sequence[Any], seen: float) -> np.ndarray:
    """(clips, 2) of clips of one size through the parts of a run, in float32."""
    import torch

    from jepakit.sdk import Batch, MaskRequest, Raw
    from jepakit_video.masker import FutureMasker, FutureSettings

    count, layout = len(samples), parts.tokenizers["main"].layout(samples[0], "main")
    rng = np.random.Generator(np.random.Philox(key=[0, 0]))
    plan = FutureMasker(FutureSettings(seen=(seen, seen)))({"main": layout}, MaskRequest(rng=rng, shared=rng))
    coords, valid, channel = (torch.from_numpy(part).expand(count, *part.shape) for part in (layout.coords, layout.valid, layout.channel))
    clips = torch.from_numpy(np.stack([sample.streams["main"] for sample in samples]))
    batch = Batch({"main": Raw(clips, None, coords, valid, channel, grid=layout.grid)}, tuple(sample.id for sample in samples))
    context = replace(plan.contexts[0], positions=repeated(plan.contexts[0].positions.idx, count))
    query = replace(plan.queries[0], positions=repeated(plan.queries[0].positions.idx, count))
    with torch.inference_mode():
        # the same question twice: terms of the loss that compare contexts, not looked at here, want two of them
        _, _, out = parts.jepa.eval()(batch, replace(plan, contexts=(context, context), queries=(query, replace(query, context=1))), 0)
    asked, said = out.targets[0].float(), out.predictions[0].float()
    places = layout.grid[1] * layout.grid[2]
    last = out.target_streams["main"][:, plan.contexts[0].positions.idx[-places:]].float()
    again = last.repeat(1, asked.shape[1] // places, 1)
    return np.stack([(guess - asked).square().mean((1, 2)).numpy() for guess in (said, again)], axis=1)


def repeated(idx: np.ndarray, count: int) -> Any:
    """The same positions for each of `count` clips."""
    import torch

    from jepakit.sdk import IndexSet

    numbers = torch.from_numpy(idx).expand(count, len(idx))
    return IndexSet(numbers, torch.ones_like(numbers, dtype=torch.bool), dense=True)


def ratio_of(errors: np.ndarray) -> dict[str, float]:
    """Mean error of predictions over that of repetition, with a bootstrap interval over clips."""
    rng = np.random.Generator(np.random.Philox(key=[0, 1]))
    picks = rng.integers(0, len(errors), size=(RESAMPLES, len(errors)))
    means = errors[picks].mean(1)
    low, high = np.quantile(means[:, 0] / np.maximum(means[:, 1], 1e-12), (0.025, 0.975))
    said, repeated = errors.mean(0)
    return {"ratio": float(said / max(repeated, 1e-12)), "low": float(low), "high": float(high), "clips": float(len(errors))}
