"""`jepakit control`: a pole balanced over an uplink that brings a picture only now and then.

Between two pictures the controller reads what the predictor says the present looks like, from the last picture and the forces since.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from jepakit.sdk import Batch, Condition, Raw, Sample, parts_of
from jepakit_modalities.timeseries.cartpole import EDGE, FALLEN, STRONGEST, moved, picture, upset, wanted
from jepakit_modalities.timeseries.control import AHEAD, FORCES, STATES, WINDOW, CartPoleModality, condition

FITTED, EPISODES, STEPS = 4000, 200, 500
"""Windows that the actor is fitted on, episodes, and steps of an episode (10 s)."""
SHAKEN = 0.5
"""Newton, spread of a force that nobody knows of."""
Embed = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Windows (M, 48, 4) and conditions (M, AHEAD + 1) → (M, F)."""


@click.command()
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--period", "periods", multiple=True, type=click.IntRange(1, AHEAD), default=(1, 4, 8, 12, 16), help="Steps a picture.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def control(run: Path, periods: tuple[int, ...], as_json: bool) -> None:
    """Balance a cart-pole with RUN of the recipe timeseries-control, with a picture every so many steps.

    Rows: the trained predictor, the same untrained, the last picture and the forces since without any encoder, the last picture alone
    through the trained encoder, and a controller that knows the state. Values: share of the episodes in which the pole still stands.
    """
    found = stability(run, periods)
    if as_json:
        click.echo(json.dumps(found))
        return
    click.echo("period      " + "".join(f"{period:>8}" for period in periods))
    for row, values in found.items():
        click.echo(f"{row:12}" + "".join(f"{values[str(period)]:8.2f}" for period in periods))


def stability(run: Path, periods: tuple[int, ...]) -> dict[str, dict[str, float]]:
    """Row → period → share of the episodes that last to their end."""
    reader = CartPoleModality().synthetic(FITTED, 0)
    made = {name: predictions(parts) for name, parts in parts_of(run, reader).items()}
    actors = {name: fitted(embed, reader) for name, embed in made.items()}
    actors["raw"] = fitted(pixels, reader)
    actors["last picture"] = fitted(made["encoder"], reader, told=False)
    rows = {name: {str(period): lasted(actor, period) for period in periods} for name, actor in actors.items()}
    return {**rows, "state": {str(period): lasted(None, period) for period in periods}}


def predictions(parts: Any) -> Embed:
    """What the predictor of a run says about the window at which a condition points, all tokens side by side."""
    jepa = parts.jepa.eval()

    @torch.inference_mode()
    def embed(windows: np.ndarray, told: np.ndarray) -> np.ndarray:
        layout = parts.tokenizers["main"].layout(Sample({"main": windows[0]}, id="now"), "main")
        places = [np.repeat(part[None], len(windows), axis=0) for part in (layout.coords, layout.valid, layout.channel)]
        coords, valid, channel = map(torch.from_numpy, places)
        batch = Batch({"main": Raw(torch.from_numpy(windows), None, coords, valid, channel)}, tuple(map(str, range(len(windows)))))
        seen = jepa.backbone.embed(batch).last
        said = jepa.predictor(seen, coords, None, coords, None, condition=Condition(vec=torch.from_numpy(told)))
        return np.asarray(said.flatten(1).float().numpy())

    return embed


def pixels(windows: np.ndarray, told: np.ndarray) -> np.ndarray:
    """Pixels and condition as they are."""
    return np.concatenate([windows.reshape(len(windows), -1), told], axis=1)


class Actor:
    """Features → Newton: ridge on what the regulator would do, fitted on windows at random distances."""

    def __init__(self, embed: Embed, model: Any, told: bool) -> None:
        self.embed, self.model, self.told = embed, model, told

    def __call__(self, windows: np.ndarray, forces: np.ndarray, ahead: int) -> np.ndarray:
        told = np.stack([condition(row, ahead if self.told else 0) for row in forces])
        return np.clip(self.model.predict(self.embed(windows, told)), -STRONGEST, STRONGEST)


def fitted(embed: Embed, reader: Any, told: bool = True) -> Actor:
    """An actor, by cross-validated ridge. told=False: one that is not told what happened since the picture."""
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rng = np.random.Generator(np.random.Philox(key=11))
    samples = [reader.read(index) for index in range(len(reader))]
    ahead = rng.integers(AHEAD + 1, size=len(samples)) if told else np.zeros(len(samples), dtype=int)
    windows = np.stack([sample.streams["main"] for sample in samples])
    conditions = np.stack([condition(sample.meta[FORCES], steps) for sample, steps in zip(samples, ahead)])
    asked = np.array([wanted(sample.meta[STATES][steps]) for sample, steps in zip(samples, ahead)])
    model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 4, 7))).fit(embed(windows, conditions), asked)
    return Actor(embed, model, told)


def lasted(actor: Actor | None, period: int) -> float:
    """Share of the episodes in which the pole stands and the cart is on the track until the end. actor None: the state is known."""
    rng = np.random.Generator(np.random.Philox(key=[12, period]))
    state, alive = upset(rng, EPISODES), np.ones(EPISODES, dtype=bool)
    frames = [picture(state, rng)] * WINDOW
    forces = np.zeros((EPISODES, AHEAD), dtype=np.float32)
    window = np.stack(frames, axis=-1)
    for step in range(STEPS):
        ahead = step % period
        if not ahead:
            window, forces[:] = np.stack(frames, axis=-1), 0.0
        force = wanted(state) if actor is None else actor(window, forces, ahead)
        forces[:, ahead] = force
        state = moved(state, force + rng.normal(scale=SHAKEN, size=EPISODES))
        alive &= (np.abs(state[:, 2]) < FALLEN) & (np.abs(state[:, 0]) < EDGE)
        state = np.where(alive[:, None], state, 0.0)  # a fallen pole is put aside: what it does is of no interest
        frames = [*frames[1:], picture(state, rng)]
    return float(alive.mean())
