"""`jepakit sar-border`: how well the clutter around a target tells its class, which an accuracy of the whole chip has to be read beside."""

from __future__ import annotations

import json

import click
import numpy as np

from jepakit.sdk import DataError, Reader
from jepakit_sar.sources import open_sar

TREES = 300
"""Of the random forest."""
PERCENTILES = (10, 50, 90)


@click.command("sar-border")
@click.option("--data", required=True, help="Labelled chips that the forest is fitted on.")
@click.option("--test", required=True, help="Labelled chips that it is judged on.")
@click.option("--width", default=8, show_default=True, type=click.IntRange(min=1), help="Of the border, in pixels.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(data: str, test: str, width: int, as_json: bool) -> None:
    """Classify chips by six statistics of their border alone, by a random forest."""
    accuracy, count, chance = border_accuracy(open_sar(data, "train"), open_sar(test, "test"), width)
    error = 1.96 * (accuracy * (1 - accuracy) / count) ** 0.5
    if as_json:
        click.echo(json.dumps({"accuracy": accuracy, "half_interval": error, "chance": chance, "samples": count, "width": width}))
        return
    click.echo(f"border of {width} pixels alone: accuracy {accuracy:.1%} ± {error:.1%} on {count} chips; the largest class is {chance:.1%}")


def border_accuracy(train: Reader, test: Reader, width: int) -> tuple[float, int, float]:
    """Accuracy on `test` of a forest fitted on `train`, the number of test samples, and the share of their largest class.

    Raises:
        DataError: samples without a class, or smaller than two borders.
    """
    from sklearn.ensemble import RandomForestClassifier

    x, y = described(train, width)
    asked, truth = described(test, width)
    said = RandomForestClassifier(TREES, random_state=0, n_jobs=1).fit(x, y).predict(asked)
    return float(np.mean(said == truth)), len(truth), float(np.bincount(truth).max() / len(truth))


def described(reader: Reader, width: int) -> tuple[np.ndarray, np.ndarray]:
    """(M, 6) float64 statistics and (M,) int64 classes."""
    rows, classes = [], []
    for index in range(len(reader)):
        sample = reader.read(index)
        if not isinstance(sample.label, int):
            raise DataError(f"{sample.id}: no class, which the border probe is about; give labelled chips")
        rows.append(statistics(sample.streams["main"], width, sample.id))
        classes.append(sample.label)
    return np.stack(rows), np.asarray(classes, dtype=np.int64)


def statistics(image: np.ndarray, width: int, name: str) -> np.ndarray:
    """(6,) mean, standard deviation, three percentiles and maximum of the outer `width` pixels of (C, H, W); zeros without data."""
    if min(image.shape[1:]) <= 2 * width:
        raise DataError(f"{name}: {image.shape[1]} x {image.shape[2]} pixels have nothing within a border of {width}; set --width lower")
    outside = np.ones(image.shape[1:], dtype=bool)
    outside[width:-width, width:-width] = False
    seen = image[:, outside].astype(np.float64)
    seen = seen[np.isfinite(seen)]
    return np.array([seen.mean(), seen.std(), *np.percentile(seen, PERCENTILES), seen.max()]) if seen.size else np.zeros(6)
