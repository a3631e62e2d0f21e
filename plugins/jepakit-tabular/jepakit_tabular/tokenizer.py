"""A row of a table as tokens: one a column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import torch
from einops import rearrange
from pydantic import Field
from torch import Tensor, nn

from jepakit.sdk import DataError, Layout, Raw, Sample, Settings, Tokenizer, Tokens
from jepakit_tabular.embeddings import DateEmbedding, NameEmbedding, NumberEmbedding, Numeric


class ColumnSettings(Settings):
    """Options of the column tokenizer."""

    numeric: Numeric = Field("periodic", description="how numbers are spread out before they are mapped (arXiv 2203.05556)")
    count: int = Field(16, ge=1, description="frequencies or bins of a numeric column")
    sigma: float = Field(0.1, gt=0, description="standard deviation of the first frequencies, in periods a unit of the scaled value")
    scaler: Literal["quantile", "standard"] = Field("quantile", description="how numbers are scaled, fitted on training rows")
    categories: int = Field(64, ge=1, description="the most frequent names of a column have a vector of their own")
    buckets: int = Field(32, ge=1, description="vectors of a column that rarer and unseen names share")
    most_tokens: int = Field(256, ge=2, description="tables with more columns put neighbouring ones into one token")


class ColumnTokenizer(Tokenizer):
    """Typed cells → one token a column. The stream is (F,) float64 with the meaning that the reader of tables gives it.

    coords are numbers of tokens in the order of column names, axis "column". A missing cell is a learned vector of its column.
    Scalers and vocabularies are fitted on training rows and stored as buffers.
    Source: T-JEPA, Thimonier et al. 2024 (arXiv 2410.05016), section 3.
    """

    axes = ("column",)
    order: Tensor

    def __init__(self, settings: ColumnSettings, *, width: int, spec: Mapping[str, Any]) -> None:
        super().__init__()
        self.width = width
        self.columns, self.kinds = tuple(spec["columns"]), tuple(spec["kinds"])
        if len(self.columns) < 2:
            raise DataError(
                f"the table has {len(self.columns)} column besides label, group and id ({shown(self.columns) or 'none'}); one is predicted "
                "from others, so give two or more"
            )
        self.each = -(-len(self.columns) // settings.most_tokens)
        """Columns a token."""
        self.parts = nn.ModuleDict()
        self.missing_embedding = nn.Parameter(torch.randn(len(self.columns), width) * 0.5)
        self._places: dict[str, list[int]] = {}
        for part, kinds in PARTS.items():
            places = [number for number, kind in enumerate(self.kinds) if kind in kinds]
            if places:
                self._places[part] = places
                self.parts[part] = make_part(part, len(places), width, settings)
        order = np.argsort(np.concatenate(list(self._places.values())))
        self.register_buffer("order", torch.from_numpy(order), persistent=False)
        self._seen: tuple[object, object] = (None, None)

    def fit(self, samples: Sequence[Sample]) -> None:
        """Scalers and vocabularies from training rows."""
        for sample in samples[:1]:
            self.check(sample)
        cells = torch.from_numpy(np.stack([sample.streams["main"] for sample in samples]))
        for part, places in self._places.items():
            self.parts[part].fit(cells[:, places])  # type: ignore[operator]

    def layout(self, sample: Sample, stream: str) -> Layout | None:
        self.check(sample)
        return row_layout(-(-len(self.columns) // self.each))

    def check(self, sample: Sample) -> None:
        """DataError when a row is not of the table that this tokenizer was made for. Rows of one reader share their lists of columns."""
        names, kinds = sample.meta["columns"], sample.meta["kinds"]
        if self._seen[0] is names and self._seen[1] is kinds:
            return
        check_columns(self.columns, self.kinds, names, kinds, sample.id)
        self._seen = names, kinds

    def forward(self, raw: Raw) -> Tokens:
        if raw.coords is None or raw.valid is None or raw.channel is None:
            raise ValueError("the column tokenizer needs a batch with layouts")
        missing = raw.values.isnan()
        cells = raw.values.masked_fill(missing, 0.0)
        x = torch.cat([self.parts[part](cells[:, places]) for part, places in self._places.items()], dim=1)[:, self.order]
        x = torch.where(missing[..., None], self.missing_embedding, x)
        return Tokens(self._joined(x), raw.coords, raw.valid, raw.channel, grid=raw.grid, order=raw.order)

    def _joined(self, x: Tensor) -> Tensor:
        """(B, F, D) → (B, N, D): neighbouring columns of a wide table are summed, which bounds memory and time of attention."""
        if self.each == 1:
            return x
        short = -x.shape[1] % self.each
        padded = nn.functional.pad(x, (0, 0, 0, short))
        return rearrange(padded, "b (n g) d -> b n g d", g=self.each).sum(2) / self.each**0.5


PARTS: Mapping[str, tuple[str, ...]] = {"numbers": ("number", "empty"), "dates": ("date",), "names": ("name", "boolean")}
"""Which kinds of columns each embedding takes."""


def make_part(part: str, columns: int, width: int, settings: ColumnSettings) -> nn.Module:
    """The embedding of one group of columns."""
    if part == "numbers":
        return NumberEmbedding(columns, width, kind=settings.numeric, count=settings.count, sigma=settings.sigma, scaler=settings.scaler)
    if part == "dates":
        return DateEmbedding(columns, width)
    return NameEmbedding(columns, width, categories=settings.categories, buckets=settings.buckets)


def check_columns(columns: Sequence[str], kinds: Sequence[str], found: Sequence[str], found_kinds: Sequence[str], row: str) -> None:
    """DataError when names or kinds differ. A column without any value, on either side, fits to every kind."""
    lacking, extra = (sorted(set(ours) - set(theirs)) for ours, theirs in ((columns, found), (found, columns)))
    if lacking or extra:
        said = [f"{word} {shown(names)}" for word, names in (("lacks", lacking), ("adds", extra)) if names]
        raise DataError(
            f"{row}: this table {' and '.join(said)}, compared with the table of the run; give the same columns, name the label with "
            "PATH::label=NAME, and leave others out with ::drop=NAME"
        )
    for name, ours, theirs in zip(columns, kinds, found_kinds):
        if ours != theirs and "empty" not in (ours, theirs):
            raise DataError(
                f"{row}: column '{name}' is of kind {theirs}, in the table of the run of kind {ours}; convert it, or say "
                f"::categorical={name} or ::numeric={name} for both"
            )


def shown(names: Sequence[str]) -> str:
    """A few names."""
    return ", ".join(f"'{name}'" for name in names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


@lru_cache(maxsize=64)
def row_layout(count: int) -> Layout:
    """The layout of a row of `count` tokens; one object for all rows, so that a batch is seen to be of one kind."""
    return Layout(
        coords=np.arange(count, dtype=np.float32)[:, None],
        valid=np.ones(count, dtype=bool),
        channel=np.arange(count, dtype=np.int16),
        axes=("column",),
        grid=(count,),
    )
