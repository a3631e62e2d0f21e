"""Real images that ship inside packages, so that a fresh machine needs no download: scikit-learn's digits, scikit-image's photographs."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from hashlib import blake2b
from pathlib import Path

import numpy as np

from jepakit.sdk import DataError
from jepakit_modalities.image.decode import decode_file
from jepakit_modalities.image.listing import Listing
from jepakit_modalities.image.reader import ImageReader

TEST_SHARE = 0.2
"""Digits: every fifth image of each class is test."""
PHOTOS = (
    "astronaut.png", "brick.png", "camera.png", "cell.png", "chelsea.png", "coffee.png", "coins.png", "grass.png", "gravel.png",
    "hubble_deep_field.jpg", "ihc.png", "moon.png", "motorcycle_left.png", "page.png", "retina.jpg", "rocket.jpg",
)  # fmt: skip
"""The photographs and micrographs in the scikit-image wheel; its synthetic pictures and logos are left out."""
SIDE, STRIDE = 32, 16
"""Window and step in pixels."""
TRAIN_WIDTH, GAP = 0.7, SIDE
"""Windows of the left 70 % of a photograph are train, those right of it and of a gap are test: no pixel is in both."""
MOST_TRAIN, MOST_TEST = 300, 60
"""Windows a photograph at most, evenly spread, so that large photographs don't outweigh small ones."""
LUMA = np.array([0.299, 0.587, 0.114])
"""ITU-R BT.601."""


def open_bundled(name: str, split: str) -> ImageReader:
    """`digits` or `photos`; split "train", "test" or "all"."""
    if name not in SETS:
        near = get_close_matches(name, SETS, n=1)
        hint = f" Did you mean 'bundled:{near[0]}'?" if near else ""
        raise DataError(f"no bundled image set '{name}'; there is: {', '.join(f'bundled:{known}' for known in sorted(SETS))}.{hint}")
    images, labels, names, ids = SETS[name](split)
    made = blake2b(digest_size=16)
    made.update(np.ascontiguousarray(images).tobytes())
    listing = Listing(ids=ids, labels=labels.tolist(), class_names=names, digest=made.hexdigest())
    return ImageReader(listing, lambda index: images[index][None], origin=f"bundled:{name}")


def digits(split: str) -> tuple[np.ndarray, np.ndarray, list[str], list[str]]:
    """8 x 8 handwritten digits, 1,797 of them, ten classes (UCI, Alpaydin and Kaynak); 0 to 16 brought to 0 to 255."""
    from sklearn.datasets import load_digits

    found = load_digits()
    images = np.rint(found.images * (255 / 16)).astype(np.uint8)
    labels = found.target.astype(np.int64)
    rank = np.zeros(len(labels), dtype=np.int64)
    for label in range(10):
        rank[labels == label] = np.arange((labels == label).sum())
    keep = chosen(split, rank % round(1 / TEST_SHARE) == 0)
    return images[keep], labels[keep], [str(label) for label in range(10)], [f"digits/{row}" for row in np.flatnonzero(keep)]


def chosen(split: str, is_test: np.ndarray) -> np.ndarray:
    """Mask of the rows of a split."""
    return np.ones_like(is_test) if split == "all" else is_test if split == "test" else ~is_test


def photos(split: str) -> tuple[np.ndarray, np.ndarray, list[str], list[str]]:
    """32 x 32 grey windows of real photographs; the label is the photograph. Grey, because colour alone would tell them apart."""
    windows: list[np.ndarray] = []
    labels: list[int] = []
    ids: list[str] = []
    for number, file in enumerate(PHOTOS):
        image = grey(photo_folder() / file)
        border = int(image.shape[1] * TRAIN_WIDTH)
        regions = {"train": (0, border, MOST_TRAIN), "test": (border + GAP, image.shape[1], MOST_TEST)}
        for part, (left, right, most) in regions.items():
            if split in (part, "all"):
                for top, start in places(image.shape[0], left, right, most):
                    windows.append(image[top : top + SIDE, start : start + SIDE])
                    labels.append(number)
                    ids.append(f"photos/{Path(file).stem}/{top}-{start}")
    return np.stack(windows), np.array(labels), [Path(file).stem for file in PHOTOS], ids


def places(height: int, left: int, right: int, most: int) -> list[tuple[int, int]]:
    """Upper left corners of at most `most` windows, evenly spread over the region."""
    corners = [(top, start) for top in range(0, height - SIDE + 1, STRIDE) for start in range(left, right - SIDE + 1, STRIDE)]
    picked = np.unique(np.linspace(0, len(corners) - 1, min(most, len(corners))).round().astype(int))
    return [corners[number] for number in picked if corners]


def grey(path: Path) -> np.ndarray:
    """(H, W) uint8."""
    image = decode_file(path)
    return image[0] if image.shape[0] == 1 else np.rint(np.tensordot(LUMA, image, axes=1)).astype(np.uint8)


def photo_folder() -> Path:
    """Where scikit-image keeps its pictures."""
    try:
        import skimage
    except ImportError as error:
        raise DataError('bundled:photos comes with scikit-image, which is not installed: pip install "jepakit[image]"') from error
    return Path(skimage.__file__).parent / "data"


SETS: dict[str, Callable[[str], tuple[np.ndarray, np.ndarray, list[str], list[str]]]] = {"digits": digits, "photos": photos}
