"""Files of embeddings: the numbers of the Python call, all identities, and nothing lost or doubled by being stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import jepakit
from jepakit.cli.main import main
from jepakit.contracts import Reader, Sample
from jepakit.embed import job
from jepakit.embed.encoder import LoadedEncoder
from jepakit.embed.job import embed_to_file
from jepakit.errors import DataError, JepakitError, UsageError


class Recorder(Reader):
    """The first samples of another reader, the labels and groups changed; it stops at sample `stop_at`, as Ctrl-C would."""

    def __init__(self, inner: Reader, count: int, stop_at: int | None = None) -> None:
        self.inner, self.count, self.stop_at = inner, count, stop_at
        self.seen: list[int] = []

    def __len__(self) -> int:
        return self.count

    def read(self, index: int) -> Sample:
        if index == self.stop_at:
            raise KeyboardInterrupt
        self.seen.append(index)
        sample = self.inner.read(index)
        label = None if index % 3 == 0 else np.zeros((2, 2)) if index % 3 == 1 else 0.5 * index
        return replace(sample, label=label, group=None if index % 2 else f"sheet {index // 10}")

    def spec(self) -> Mapping[str, Any]:
        return self.inner.spec()

    def fingerprint(self) -> str:
        return f"recorder {self.count}"


@pytest.fixture(scope="module")
def encoder(digits_run: Path) -> LoadedEncoder:
    return jepakit.load(digits_run, batch=16)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "PART", 32)
    monkeypatch.setattr(job, "TOKEN_PART", 32)


def digits(encoder: LoadedEncoder, count: int = 100, stop_at: int | None = None) -> Recorder:
    return Recorder(encoder.open("bundled:digits", "test"), count, stop_at)


@pytest.mark.usefixtures("small_parts")
def test_parquet_holds_what_the_call_gives(encoder: LoadedEncoder, tmp_path: Path) -> None:
    done = embed_to_file(encoder, digits(encoder), tmp_path / "z.parquet", lambda event: None)
    table = pq.read_table(tmp_path / "z.parquet")
    assert (done.samples, done.rows, done.width, done.resumed) == (100, 100, 32, 0)
    np.testing.assert_array_equal(np.stack(table["embedding"].to_numpy()), encoder(digits(encoder)))
    assert table["row"].to_pylist() == list(range(100))
    assert table["id"].to_pylist() == [digits(encoder).read(row).id for row in range(100)]
    assert table["label"].to_pylist() == [0.5 * row if row % 3 == 2 else None for row in range(100)]
    assert table["group"].to_pylist() == [None if row % 2 else f"sheet {row // 10}" for row in range(100)]
    assert [path.name for path in tmp_path.iterdir()] == ["z.parquet"]


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("suffix", ["parquet", "npz", "zarr"])
def test_stopped_and_gone_on_is_the_same_file(encoder: LoadedEncoder, tmp_path: Path, suffix: str) -> None:
    if suffix == "zarr":
        pytest.importorskip("zarr")
    out = tmp_path / f"z.{suffix}"
    with pytest.raises(KeyboardInterrupt):
        embed_to_file(encoder, digits(encoder, stop_at=70), out, lambda event: None)
    assert not out.exists()
    again = digits(encoder)
    assert embed_to_file(encoder, again, out, lambda event: None).resumed == 64
    assert again.seen == list(range(64, 100))
    whole = tmp_path / f"whole.{suffix}"
    embed_to_file(encoder, digits(encoder), whole, lambda event: None)
    for name, values in columns(whole).items():
        np.testing.assert_array_equal(values, columns(out)[name])


def columns(path: Path) -> dict[str, Any]:
    if path.suffix == ".parquet":
        return {name: values.to_pylist() for name, values in zip(pq.read_table(path).column_names, pq.read_table(path).columns)}
    if path.suffix == ".npz":
        return dict(np.load(path, allow_pickle=False))
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(path, mode="r")
    return {name: group[name][:] for name in group}


@pytest.mark.usefixtures("small_parts")
def test_tokens_keep_their_sample_and_place(digits_run: Path, tmp_path: Path) -> None:
    encoder = jepakit.load(digits_run, level="token", batch=16)
    embed_to_file(encoder, digits(encoder, 40), tmp_path / "t.npz", lambda event: None)
    found = columns(tmp_path / "t.npz")
    assert found["embedding"].shape == (640, 32)
    np.testing.assert_array_equal(found["embedding"], np.concatenate(encoder(digits(encoder, 40))))
    np.testing.assert_array_equal(found["row"], np.repeat(np.arange(40), 16))
    np.testing.assert_array_equal(found["coords"][:5], [[0, 0], [0, 1], [0, 2], [0, 3], [1, 0]])
    assert np.isnan(found["label"][0])
    assert found["group"][0] == "sheet 0"


@pytest.mark.usefixtures("small_parts")
class Several(Recorder):
    """The first samples, each with three classes that it has or has not; one of them may be without."""

    def __init__(self, inner: Reader, count: int, without: int | None = None) -> None:
        super().__init__(inner, count)
        self.without = without

    def read(self, index: int) -> Sample:
        flags = None if index == self.without else np.array([index % 2, 1, index % 3 == 0], dtype=np.int64)
        return replace(self.inner.read(index), label=flags)

    def spec(self) -> Mapping[str, Any]:
        return {**self.inner.spec(), "label_kind": "multilabel"}


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("suffix", [".parquet", ".npz"])
def test_several_classes_stay_beside_the_embedding(encoder: LoadedEncoder, tmp_path: Path, suffix: str) -> None:
    reader, out = Several(encoder.open("bundled:digits"), 40), tmp_path / f"z{suffix}"
    embed_to_file(encoder, reader, out, lambda event: None)
    kept = np.array(pq.read_table(out)["label"].to_pylist()) if suffix == ".parquet" else np.load(out)["label"]
    assert kept.dtype == np.int64
    np.testing.assert_array_equal(kept, [reader.read(row).label for row in range(40)])


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("without", [5, 32, 35])
def test_one_sample_without_its_classes_is_named(encoder: LoadedEncoder, tmp_path: Path, without: int) -> None:
    with pytest.raises(DataError, match=r"the label of sample '.*' is None|give all of them one, or none"):
        embed_to_file(encoder, Several(encoder.open("bundled:digits"), 40, without), tmp_path / "z.npz", lambda event: None)


def test_parts_of_something_else_are_not_mixed_in(encoder: LoadedEncoder, digits_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "z.parquet"
    with pytest.raises(KeyboardInterrupt):
        embed_to_file(encoder, digits(encoder, stop_at=70), out, lambda event: None)
    with pytest.raises(JepakitError, match="another pooling"):
        embed_to_file(jepakit.load(digits_run, pooling="mean+std", batch=16), digits(encoder), out, lambda event: None)
    with pytest.raises(JepakitError, match="another data, samples"):
        embed_to_file(encoder, digits(encoder, 90), out, lambda event: None)


def test_nothing_to_embed_and_unknown_formats(encoder: LoadedEncoder, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no sample"):
        embed_to_file(encoder, digits(encoder, 0), tmp_path / "z.npz", lambda event: None)
    with pytest.raises(UsageError, match=r"end it in one of \.parquet, \.npz, \.zarr"):
        embed_to_file(encoder, digits(encoder), tmp_path / "z.csv", lambda event: None)


def test_command(digits_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "deep" / "z.npz"
    assert main(["embed", str(digits_run), "--data", "bundled:digits", "--split", "test", "--out", str(out), "--json"]) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (last["event"], last["samples"], last["width"]) == ("embedded", 364, 32)
    assert np.load(out, allow_pickle=False)["embedding"].shape == (364, 32)
    assert main(["embed", str(digits_run), "--data", "bundled:digits", "--out", "z.csv"]) == 2


def test_killed_in_the_middle_and_given_again(digits_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "t.parquet"
    line = ["embed", str(digits_run), "--data", "bundled:digits", "--level", "token", "--out", str(out), "--json"]
    with subprocess.Popen(
        [sys.executable, "-m", "jepakit", *line], stdout=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"}
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()  # the first part is on the disk
        process.send_signal(signal.SIGKILL)
    assert not out.exists()
    assert main(line) == 0
    done = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert 256 <= done["resumed"] < done["samples"] == 1797
    rows = pq.read_table(out, columns=["row"])["row"].to_numpy()
    np.testing.assert_array_equal(rows, np.repeat(np.arange(1797), 16))
