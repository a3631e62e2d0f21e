"""The Python face of a trained encoder: a function of samples, a scikit-learn transformer, a torch module.

import jepakit
encoder = jepakit.load("runs/image-1")
z = encoder(samples)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from jepakit import precision as number_formats
from jepakit.contracts import Reader
from jepakit.embed.module import EncoderModule, Level, pick
from jepakit.embed.rows import Running
from jepakit.embed.samples import Samples, as_reader
from jepakit.embed.source import Kept, load_kept
from jepakit.errors import DataError
from jepakit.plugin_host.host import Host
from jepakit.plugin_host.loader import discover
from jepakit.sources import open_source

AUTO = "auto"


class LoadedEncoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """An encoder that was trained, frozen. Made by `jepakit.load`.

    The arguments are kept as given and the weights are read when they are first needed, so that it can be cloned, put into a
    scikit-learn Pipeline and sent to other processes like any transformer.
    """

    def __init__(
        self,
        run: str | Path,
        *,
        pooling: str = AUTO,
        level: Level = "sample",
        device: str = AUTO,
        precision: number_formats.Precision = "float32",
        batch: int = 256,
        checkpoint: str = "latest",
        plugins: Sequence[Path] | Host = (),
    ) -> None:
        self.run, self.pooling, self.level, self.device = run, pooling, level, device
        self.precision, self.batch, self.checkpoint, self.plugins = precision, batch, checkpoint, plugins

    def __call__(self, samples: Samples) -> np.ndarray | list[np.ndarray]:
        """Embeddings of samples, arrays or a reader, in order.

        Returns:
            (M, F) float32; at token level a list of M arrays (n, D), one row a valid token.
        """
        rows = self.running.rows(as_reader(samples, self.kept.spec))
        parts = [part.z for part in rows]
        if not parts:
            raise DataError("there is no sample to embed; give at least one")
        return parts if self.level == "token" else np.concatenate(parts)

    def fit(self, X: Samples, y: Any = None) -> Self:
        """Nothing is learned: the encoder is frozen. Reads the weights, so that what is wrong with the run shows here."""
        _ = self.running
        return self

    def transform(self, X: Samples) -> np.ndarray:
        """Sample-level embeddings (M, F) float32, for scikit-learn."""
        if self.level != "sample":
            raise DataError("transform gives one row a sample; load the encoder with level='sample', or call it for tokens")
        z = self(X)
        assert isinstance(z, np.ndarray)
        return z

    def open(self, source: str, split: str = "train") -> Reader:
        """A reader of a path, bundled:NAME or synthetic, as `--data` takes them: all of it, nothing kept in memory."""
        config = self.kept.config
        whole = config.data.model_copy(update={"limit": None, "cache_mib": 0})
        return open_source(config.model_copy(update={"data": whole}), self.kept.modality, source, split)

    @property
    def module(self) -> EncoderModule:
        """The torch face, on its device, in evaluation mode; its weights are those that calls use."""
        return self.running.module

    @property
    def kept(self) -> Kept:
        """Config, data spec, modality and weights as they were read."""
        return self._live()[0]

    @property
    def running(self) -> Running:
        """The module as it runs with the present arguments."""
        return self._live()[1]

    def _live(self) -> tuple[Kept, Running]:
        """Read once for each set of arguments: `set_params` may have changed them."""
        key = str(sorted(self.get_params(deep=False).items()))
        made: tuple[str, Kept, Running] | None = self.__dict__.get("_made")
        if made is None or made[0] != key:
            self._check()
            host = self.plugins if isinstance(self.plugins, Host) else discover(files=tuple(map(Path, self.plugins)))
            kept = load_kept(Path(self.run).expanduser(), host, str(self.checkpoint))
            self._made = made = (key, kept, self._run(kept))
        return made[1:]

    def _run(self, kept: Kept) -> Running:
        device = pick(self.device)
        pooling = kept.pooling if self.pooling == AUTO else self.pooling
        module = EncoderModule(kept.backbone, pooling, self.level).to(device).eval().requires_grad_()
        return Running(module, device, number_formats.resolve(self.precision, device), self.batch)

    def _check(self) -> None:
        """DataError for an argument that is off; scikit-learn wants constructors to accept anything."""
        if self.level not in get_args(Level):
            raise DataError(f"level '{self.level}' is neither 'sample' nor 'token'")
        if self.precision not in get_args(number_formats.Precision):
            raise DataError(f"precision '{self.precision}' is none of {', '.join(get_args(number_formats.Precision))}")
        if not isinstance(self.batch, int) or self.batch < 1:
            raise DataError(f"batch is {self.batch!r}; expected a number of samples, at least 1")

    def __sklearn_is_fitted__(self) -> Literal[True]:
        return True

    def __getstate__(self) -> dict[str, Any]:
        """The arguments alone: another process reads the weights itself."""
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_made"}


def load(
    run: str | Path,
    *,
    pooling: str = AUTO,
    level: Level = "sample",
    device: str = AUTO,
    precision: number_formats.Precision = "float32",
    batch: int = 256,
    checkpoint: str = "latest",
    plugins: Sequence[Path] | Host = (),
) -> LoadedEncoder:
    """The trained encoder in the folder `run`.

    Args:
        run: a run, or a folder written by `jepakit export --format huggingface`.
        pooling: from tokens to one vector; "auto" is what the evaluation of the run chose on training samples, else "mean".
        level: "sample", or "token" for one row a token.
        device, precision: where and in which format it runs; "auto" is the fastest there is.
        batch: samples at once. checkpoint: "latest", "best" or a step.
        plugins: one-file plugins that the run needs beside the installed ones, or a host that was made before.

    Raises:
        JepakitError: with one sentence, if anything about the folder or the arguments is off.
    """
    encoder = LoadedEncoder(
        run, pooling=pooling, level=level, device=device, precision=precision, batch=batch, checkpoint=checkpoint, plugins=plugins
    )
    return encoder.fit(())
