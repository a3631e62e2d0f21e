"""What a run leaves behind for its report: pictures of masks, a map of embeddings, the metrics, the evaluation.

The engine calls the writers, `page` calls the readers. Files of a run folder, all optional:

```
metrics.jsonl            one JSON object a line; lines with "event": "step" are the training curve
evaluation.json          `Evaluation.to_json()`
report/masks.npz         pictures [k,H,W,3] uint8 · ids [k] str
report/embedding.npz     z [M,D] float32 · ids [M] str · y [M] int64 and pictures [M,h,w,3] uint8 where there are any · class_names [C] str
```

A file that is missing reads as None; a file that is damaged raises `DataError`. Nothing here is drawn.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jepakit.disk import replace_file
from jepakit.errors import ContractError, DataError
from jepakit.runs import read_metrics

MASKS = "report/masks.npz"
EMBEDDING = "report/embedding.npz"
EVALUATION = "evaluation.json"


@dataclass(frozen=True)
class MaskPictures:
    """Samples with their masks drawn over them: pictures [k,H,W,3] uint8, one id each."""

    pictures: np.ndarray
    ids: tuple[str, ...]

    def __post_init__(self) -> None:
        _check_pictures(self.pictures, len(self.ids))


@dataclass(frozen=True)
class EmbeddingMap:
    """Embeddings of the probe set: z [M,D] float32, ids; y [M] int64 (below 0: no label) and pictures [M,h,w,3] uint8, or None."""

    z: np.ndarray
    ids: tuple[str, ...]
    y: np.ndarray | None = None
    pictures: np.ndarray | None = None
    class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.z.ndim != 2 or len(self.z) != len(self.ids):
            raise ContractError(f"embedding map: z has shape {self.z.shape} for {len(self.ids)} ids; expected [M, D] with one id a row.")
        if self.y is not None and self.y.shape != (len(self.z),):
            raise ContractError(f"embedding map: y has shape {self.y.shape} for {len(self.z)} embeddings; expected one label a row.")
        if self.pictures is not None:
            _check_pictures(self.pictures, len(self.z))


def framed(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Pictures [h,w,3] uint8 of any sizes as one array [k,H,W,3], smaller ones in the middle of white."""
    high, wide = (max(picture.shape[axis] for picture in pictures) for axis in (0, 1))
    sheet = np.full((len(pictures), high, wide, 3), 255, dtype=np.uint8)
    for place, picture in zip(sheet, pictures):
        top, left = (high - picture.shape[0]) // 2, (wide - picture.shape[1]) // 2
        place[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return sheet


def save_masks(run: Path, pictures: np.ndarray, ids: Sequence[str]) -> Path:
    """Keep mask pictures [k,H,W,3] uint8 and their sample ids for the report; returns the file.

    Raises:
        ContractError: if shapes or dtype are off.
    """
    masks = MaskPictures(pictures, tuple(ids))
    return _save_arrays(run / MASKS, {"pictures": masks.pictures, "ids": _text(masks.ids)})


def save_embedding(
    run: Path,
    z: np.ndarray,
    y: np.ndarray | None,
    ids: Sequence[str],
    pictures: np.ndarray | None = None,
    class_names: Sequence[str] = (),
) -> Path:
    """Keep embeddings [M,D] of the probe set with labels [M], ids and pictures [M,h,w,3] uint8 for the report; returns the file.

    Raises:
        ContractError: if shapes or dtype are off.
    """
    kept = EmbeddingMap(np.asarray(z, np.float32), tuple(ids), y, pictures, tuple(class_names))
    arrays = {"z": kept.z, "ids": _text(kept.ids), "class_names": _text(kept.class_names)}
    if kept.y is not None:
        arrays["y"] = kept.y.astype(np.int64)
    if kept.pictures is not None:
        arrays["pictures"] = kept.pictures
    return _save_arrays(run / EMBEDDING, arrays)


def read_masks(run: Path) -> MaskPictures | None:
    """The mask pictures of a run, or None when it has none. Raises `DataError` if the file is damaged."""
    path = run / MASKS
    arrays = _load_arrays(path, needed=("pictures", "ids"))
    if arrays is None:
        return None
    try:
        return MaskPictures(arrays["pictures"], tuple(arrays["ids"].tolist()))
    except ContractError as fault:
        raise DataError(f"{path}: {fault}") from fault


def read_embedding(run: Path) -> EmbeddingMap | None:
    """The embeddings of a run's probe set, or None when it has none. Raises `DataError` if the file is damaged."""
    path = run / EMBEDDING
    arrays = _load_arrays(path, needed=("z", "ids"))
    if arrays is None:
        return None
    names = tuple(arrays["class_names"].tolist()) if "class_names" in arrays else ()
    try:
        return EmbeddingMap(arrays["z"], tuple(arrays["ids"].tolist()), arrays.get("y"), arrays.get("pictures"), names)
    except ContractError as fault:
        raise DataError(f"{path}: {fault}") from fault


def read_steps(run: Path) -> list[Mapping[str, Any]]:
    """The training curve by ascending step; empty when nothing is logged. A step done twice (after a resume) counts as last done."""
    steps = {
        record["step"]: record for record in read_metrics(run) if record.get("event") == "step" and isinstance(record.get("step"), int)
    }
    return [steps[step] for step in sorted(steps)]


def read_evaluation(run: Path) -> Mapping[str, Any] | None:
    """The evaluation of a run as it was written, or None. Raises `DataError` if it is not a JSON object with rows."""
    record = read_json(run / EVALUATION)
    if record is not None and not isinstance(record.get("rows"), list):
        raise DataError(f"{run / EVALUATION}: it has no list 'rows'. Run `jepakit eval` again.")
    return record


def read_json(path: Path) -> Mapping[str, Any] | None:
    """One JSON object, or None when the file is missing. Raises `DataError` if it holds anything else."""
    if not path.exists():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as fault:
        raise DataError(f"{path}: not JSON ({fault}); the file is damaged.") from fault
    if not isinstance(record, dict):
        raise DataError(f"{path}: holds no JSON object; the file is damaged.")
    return record


def _save_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> Path:
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)  # type: ignore[arg-type]  # the stub takes ** for its own flag
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, packed.getvalue())
    return path


def _load_arrays(path: Path, needed: tuple[str, ...]) -> dict[str, np.ndarray] | None:
    if not path.exists():
        return None
    try:
        with path.open("rb") as file:  # np.load itself would leave the file of a damaged archive open
            archive = np.load(file, allow_pickle=False)
            arrays = {name: archive[name] for name in archive.files} if isinstance(archive, np.lib.npyio.NpzFile) else {}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as fault:
        raise DataError(f"{path}: can't be read ({fault}). Run `jepakit eval` again to write it anew.") from fault
    if missing := [name for name in needed if name not in arrays]:
        raise DataError(f"{path}: holds no array {', '.join(missing)}; expected {', '.join(needed)}.")
    return arrays


def _text(words: Sequence[str]) -> np.ndarray:
    return np.array(words, dtype=np.str_)


def _check_pictures(pictures: np.ndarray, count: int) -> None:
    if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[-1] != 3 or len(pictures) != count:
        found = f"{pictures.dtype} {pictures.shape}"
        raise ContractError(f"pictures are {found}; expected uint8 [{count}, H, W, 3], one for each id.")
