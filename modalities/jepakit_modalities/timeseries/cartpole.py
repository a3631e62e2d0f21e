"""The cart-pole: its physics, a controller that knows the state, and a camera that does not show speeds."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

GRAVITY, CART, POLE, HALF, STEP = 9.8, 1.0, 0.1, 0.5, 0.02
"""m/s2, kg, kg, m, s: Barto, Sutton and Anderson 1983, Neuronlike adaptive elements, appendix; without friction."""
STRONGEST = 10.0
"""Newton, as there."""
FALLEN, EDGE = np.deg2rad(12.0), 2.4
"""Angle and place beyond which an episode has failed, as there."""
PIXELS = 24
BLUR = 0.06
"""Width of a spot in the picture, as a share of the picture: a bit more than a pixel, so that places between pixels can be told."""
CHANNELS = 2 * PIXELS


def moved(state: np.ndarray, force: np.ndarray) -> np.ndarray:
    """(..., 4) place, speed, angle, angular speed and (...) Newton → the state a step later (Euler, as in the paper)."""
    place, speed, angle, turn = np.moveaxis(state, -1, 0)
    sine, cosine = np.sin(angle), np.cos(angle)
    pushed = (force + POLE * HALF * turn**2 * sine) / (CART + POLE)
    turning = (GRAVITY * sine - cosine * pushed) / (HALF * (4 / 3 - POLE * cosine**2 / (CART + POLE)))
    rate = pushed - POLE * HALF * turning * cosine / (CART + POLE)
    return np.stack([place + STEP * speed, speed + STEP * rate, angle + STEP * turn, turn + STEP * turning], axis=-1)


@lru_cache(maxsize=1)
def gain() -> np.ndarray:
    """(4,) Newton a unit of state: the linear quadratic regulator of the upright pole."""
    from scipy.linalg import solve_discrete_are

    still = np.zeros(4)
    nudge = 1e-4
    a = np.stack([(moved(still + nudge * unit, np.array(0.0)) - moved(still, np.array(0.0))) / nudge for unit in np.eye(4)], axis=1)
    b = (moved(still, np.array(nudge)) / nudge)[:, None]
    costs, effort = np.diag([1.0, 0.1, 10.0, 0.1]), np.array([[0.01]])
    p = solve_discrete_are(a, b, costs, effort)
    return np.asarray(np.linalg.solve(effort + b.T @ p @ b, b.T @ p @ a))[0]


def wanted(state: np.ndarray) -> np.ndarray:
    """(...) Newton that the regulator asks for, within the strongest push."""
    return np.clip(-state @ gain(), -STRONGEST, STRONGEST)


def picture(state: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(..., 48) float32: a line of 24 pixels with a spot at the cart, one with a spot at how far the pole leans; with noise."""
    spots = np.stack([state[..., 0] / EDGE, state[..., 2] / FALLEN], axis=-1)[..., None] / 2 + 0.5
    seen = np.exp(-(((np.linspace(0, 1, PIXELS) - spots) / BLUR) ** 2) / 2)
    return (seen + rng.normal(scale=0.01, size=seen.shape)).reshape(*state.shape[:-1], CHANNELS).astype(np.float32)


def upset(rng: np.random.Generator, count: int) -> np.ndarray:
    """(count, 4) states to start from, away from balance."""
    return np.asarray(rng.uniform(-1, 1, size=(count, 4)) * (0.5, 0.5, 0.08, 0.3))


def driven(rng: np.random.Generator, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """A recording: states (steps, 4), and forces (steps,) of a regulator that is pushed about, so that forces say more than states do."""
    state, push = upset(rng, 1)[0], 0.0
    states, forces = np.empty((steps, 4)), np.empty(steps)
    for number in range(steps):
        push = 0.8 * push + rng.normal(scale=1.2)
        states[number], forces[number] = state, np.clip(wanted(state) + push, -STRONGEST, STRONGEST)
        state = moved(state, forces[number])
    return states, forces
