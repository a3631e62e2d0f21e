"""The embedding map as data for the script that lets one explore it (`map.js`): points, labels, neighbours, and all pictures in one."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import numpy as np
from PIL import Image

from jepakit.report import figures
from jepakit.report.artifacts import EmbeddingMap

NEIGHBOURS = 5
TILE = 48
"""Side of a picture in the sheet, in pixels; a thousand of them make about a megabyte."""
QUALITY = 80


def script() -> tuple[str, str]:
    """`map.js` and the digest by which the page's policy lets this script run, and no other."""
    text = files("jepakit.report").joinpath("map.js").read_text(encoding="utf-8")
    return text, f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def explorable(embedding: EmbeddingMap, points: np.ndarray, nearest: np.ndarray) -> Mapping[str, Any]:
    """What `map.js` reads, as text that may stand in a page.

    points: [M,2]. nearest: [M, NEIGHBOURS], the nearest rows of each by cosine of the whole embeddings.
    """
    labels = np.full(len(points), -1) if embedding.y is None else embedding.y
    known = [int(label) for label in np.unique(labels[labels >= 0])]
    colours: dict[int | str, str] = dict(zip(known, figures.class_colours(len(known))))
    sheet, columns = (None, 1) if embedding.pictures is None else pictures_in_one(embedding.pictures)
    data = {
        "points": np.round(points.astype(np.float64), 3).tolist(),
        "labels": labels.tolist(),
        "ids": list(embedding.ids),
        "names": {label: figures.class_name(label, embedding.class_names) for label in known},
        "colours": {**colours, "rest": figures.PALETTE[0] if embedding.y is None else figures.FAINT},
        "near": nearest.tolist(),
        "sprite": sheet,
        "tile": TILE,
        "columns": columns,
    }
    return {"data": as_script_text(data), "pictures": sheet is not None}


def as_script_text(data: Mapping[str, Any]) -> str:
    """JSON that holds no character with a meaning in HTML."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=True)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def pictures_in_one(pictures: np.ndarray) -> tuple[str, int]:
    """[M,h,w,3] uint8 → one JPEG of square tiles as a data URI, and how many tiles stand in a row; pictures keep their proportions."""
    count = len(pictures)
    columns = int(np.ceil(np.sqrt(count)))
    sheet = Image.new("RGB", (columns * TILE, -(-count // columns) * TILE), "white")
    for number, pixels in enumerate(pictures):
        tile = Image.fromarray(pixels)
        scale = TILE / max(tile.size)
        tile = tile.resize((max(1, round(tile.width * scale)), max(1, round(tile.height * scale))), Image.Resampling.BOX)
        sheet.paste(tile, ((number % columns) * TILE + (TILE - tile.width) // 2, (number // columns) * TILE + (TILE - tile.height) // 2))
    file = io.BytesIO()
    sheet.save(file, "JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode('ascii')}", columns
