"""Time series: sources, what is done to them only when asked, tokens, and the conformance kit."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from jepakit.contracts import Context, IndexSet, MaskPlan, Raw, Sample, Tokens
from jepakit.data.collate import stack_stream
from jepakit.sdk import DataError
from jepakit.testing.check import run_check
from jepakit.testing.reader import check_modality
from jepakit.testing.tokenizer import check_tokenizer
from jepakit_modalities.timeseries.modality import TimeSeriesModality
from jepakit_modalities.timeseries.recordings import stretched
from jepakit_modalities.timeseries.spectra import log_power, slopes
from jepakit_modalities.timeseries.tokenizer import SeriesSettings, SeriesTokenizer
from jepakit_modalities.timeseries.views import JitterSettings, JitterView

MODALITY = TimeSeriesModality()


def save(path: Path, **arrays: object) -> str:
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return str(path)


def tokens(tokenizer: SeriesTokenizer, samples: list[Sample]) -> Tokens:
    raw: Raw = stack_stream(samples, [tokenizer.layout(sample, "main") for sample in samples], "main")
    made: Tokens = tokenizer(raw)
    return made


def test_ragged_npz_keeps_lengths_rate_and_missing_values(tmp_path: Path) -> None:
    x = np.arange(24, dtype=np.float32).reshape(2, 2, 6)
    x[0, :, 4:] = np.nan
    x[1, 0, 2] = np.nan
    reader = MODALITY.open(save(tmp_path / "a.npz", x=x, y=[1, 0], group=["p", "q"], sfreq=50.0, ch_names=["u", "v"]), "train")
    first, second = reader.read(0), reader.read(1)
    assert first.streams["main"].shape == (2, 4)
    assert np.isnan(second.streams["main"][0, 2])
    assert (first.label, first.group, first.meta["rate_hz"], first.meta["channels"]) == (1, "p", 50.0, ("u", "v"))


def test_integers_times_scale(tmp_path: Path) -> None:
    reader = MODALITY.open(save(tmp_path / "a.npz", x=np.array([[2, 4]], dtype=np.int16), scale=0.5), "train")
    np.testing.assert_array_equal(reader.read(0).streams["main"], [[1.0, 2.0]])


def test_tables_long_wide_and_by_rows_hold_the_same(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    wide = pd.DataFrame(values, columns=["u", "v"]).assign(date=pd.date_range("2020", periods=5, freq="s"))
    wide.to_csv(tmp_path / "wide.csv", index=False)
    pd.concat([wide.assign(series="b"), wide[::-1].assign(series="a")]).to_parquet(tmp_path / "long.parquet")
    pd.DataFrame(values.T).to_csv(tmp_path / "rows.csv", index=False)
    one = MODALITY.open(str(tmp_path / "wide.csv"), "train")
    two = MODALITY.open(f"{tmp_path}/long.parquet::layout=long", "train")
    three = MODALITY.open(f"{tmp_path}/rows.csv::layout=rows", "train")
    assert one.read(0).meta["rate_hz"] == 1.0
    np.testing.assert_allclose(one.read(0).streams["main"], values.T, rtol=1e-6)
    np.testing.assert_array_equal(two.read(0).streams["main"], two.read(1).streams["main"])
    np.testing.assert_allclose(three.read(1).streams["main"][0], values[:, 1], rtol=1e-6)


def test_nothing_is_resampled_unasked_and_gaps_survive(tmp_path: Path) -> None:
    x = np.sin(np.arange(200, dtype=np.float32) / 10)[None]
    x[0, 50:60] = np.nan
    path = save(tmp_path / "a.npz", x=x, sfreq=100.0)
    assert MODALITY.open(path, "train").read(0).streams["main"].shape == (1, 200)
    half = MODALITY.open(f"{path}::rate=50", "train").read(0)
    assert half.meta["rate_hz"] == 50.0
    assert half.streams["main"].shape == (1, 100)
    assert np.isnan(half.streams["main"][0, 25:30]).all()
    assert np.isfinite(half.streams["main"][0, :24]).all()
    with pytest.raises(DataError, match="own rate"):
        MODALITY.open(f"{save(tmp_path / 'b.npz', x=x)}::rate=50", "train")


def test_stretching_between_missing_steps_is_missing() -> None:
    assert np.isnan(stretched(np.array([[0.0, np.nan, 2.0]], dtype=np.float32), 5)).tolist() == [[False, True, True, True, False]]


def test_union_of_different_shapes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    a = save(tmp_path / "a.npz", x=rng.normal(size=(16, 3, 20)).astype(np.float32), y=np.zeros(16, int))
    b = save(tmp_path / "b.npz", x=rng.normal(size=(4, 1, 30)).astype(np.float32))
    reader = MODALITY.open(f"{a},{b}::balance=sqrt", "train")
    assert len(reader) == 16 + 2 * 4
    assert len({reader.read(index).id for index in range(len(reader))}) == len(reader)
    assert {reader.read(index).label for index in range(len(reader))} == {None}
    assert reader.spec()["channels"] is None
    with pytest.raises(DataError, match="independent"):
        SeriesTokenizer(SeriesSettings(), width=8, spec=reader.spec())
    tokenizer = SeriesTokenizer(SeriesSettings(patch=10, channels="independent"), width=8, spec=reader.spec())
    made = tokens(tokenizer, [reader.read(0), reader.read(20)])
    assert made.valid.sum(1).tolist() == [6, 3]


def test_forecast_windows_keep_the_split_of_dates(tmp_path: Path) -> None:
    pd.DataFrame({"u": np.arange(100.0), "v": -np.arange(100.0)}).to_csv(tmp_path / "a.csv", index=False)
    source = f"{tmp_path}/a.csv::univariate=yes::window=10::horizon=5"
    train, test = MODALITY.open(source + "::rows=0:60", "train"), MODALITY.open(source + "::rows=60:80", "test")
    assert len(train) == 2 * (60 - 15 + 1)
    assert len(test) == 2 * (20 - 5 + 1)
    first = test.read(0)
    np.testing.assert_array_equal(first.streams["main"][0], np.arange(50.0, 60.0))
    np.testing.assert_allclose(first.label, np.arange(60.0, 65.0) - np.arange(50.0, 60.0).mean())
    assert max(train.read(index).streams["main"].max() for index in range(len(train))) < 60


def test_forecast_windows_that_overlap_are_one_group_and_groups_that_a_file_names_stay(tmp_path: Path) -> None:
    columns = {"u": np.arange(100.0), "v": -np.arange(100.0), "who": ["one"] * 50 + ["two"] * 50}
    pd.DataFrame(columns).to_csv(tmp_path / "a.csv", index=False)
    windows = "::univariate=yes::window=10::horizon=5"
    reader = MODALITY.open(f"{tmp_path}/a.csv::channels=u+v{windows}", "train")
    groups = {(sample.id.rsplit("@")[-1], sample.group) for sample in map(reader.read, range(len(reader)))}
    assert groups == {(str(begin), f"a/a@{begin // 15}") for begin in range(86)}
    long = MODALITY.open(f"{tmp_path}/a.csv::layout=long::series=who::group=who{windows}", "train")
    assert {sample.group for sample in map(long.read, range(len(long)))} == {"one", "two"}


@pytest.mark.parametrize("channels", ["joint", "independent"])
@pytest.mark.parametrize("norm", ["train", "instance", "centre", "none"])
def test_tokenizer_keeps_its_promises(channels: str, norm: str) -> None:
    reader = MODALITY.synthetic(12, 0)
    torch.manual_seed(0)
    tokenizer = SeriesTokenizer(SeriesSettings(patch=8, channels=channels, norm=norm), width=16, spec=reader.spec())  # type: ignore[arg-type]
    samples = [reader.read(index) for index in range(12)]
    tokenizer.fit(samples)
    for check in check_tokenizer(tokenizer, samples):
        outcome = run_check(check)
        assert outcome.good, outcome


@pytest.mark.parametrize("envelope", [False, True])
@pytest.mark.parametrize("channels", ["joint", "independent"])
def test_spectra_keep_the_promises_of_a_tokenizer(channels: str, envelope: bool) -> None:
    reader = MODALITY.synthetic(12, 0)
    torch.manual_seed(0)
    settings = SeriesSettings(patch=16, channels=channels, spectrum=True, envelope=envelope, bins=6)  # type: ignore[arg-type]
    tokenizer = SeriesTokenizer(settings, width=16, spec=reader.spec())
    samples = [reader.read(index) for index in range(12)]
    tokenizer.fit(samples)
    for check in check_tokenizer(tokenizer, samples):
        outcome = run_check(check)
        assert outcome.good, outcome


@pytest.mark.parametrize("steps", [9, 16])
def test_spectra_of_no_or_one_whole_patch_are_finite(steps: int) -> None:
    """Without a spread to be had, what was fitted leaves numbers as they are."""
    tokenizer = SeriesTokenizer(SeriesSettings(patch=16, spectrum=True), width=8, spec={"channels": 1})
    one = Sample({"main": np.arange(steps, dtype=np.float32)[None]}, id="a")
    tokenizer.fit([one])
    assert torch.equal(tokenizer.spread, torch.ones(9))
    assert tokens(tokenizer, [one]).x.isfinite().all()


def spikes(every: int, shape: tuple[float, ...]) -> torch.Tensor:
    """(200,) a series that is flat but for an event every so many steps."""
    series = torch.zeros(200)
    for start in range(0, 200 - len(shape), every):
        series[start : start + len(shape)] = torch.tensor(shape)
    return series


@pytest.mark.parametrize("every", [10, 20, 25])
def test_the_envelope_has_its_line_where_events_come_whatever_their_shape(every: int) -> None:
    """A wide event that swings up and down, a narrow one and the same upside down, every second one upside down: a line at 200 / every."""
    wide, narrow = spikes(every, (1.0, 2.0, -2.0, -1.0)), spikes(every, (3.0,))
    events = torch.stack([wide, narrow, -narrow, narrow - 2 * spikes(2 * every, (3.0,))])
    power = log_power(events, torch.ones_like(events, dtype=torch.bool), 200 // every + 3, envelope=True)
    assert (power.argmax(-1) == 200 // every).all()
    torch.testing.assert_close(power[1], power[2])


def test_a_gap_is_no_event() -> None:
    series = torch.full((1, 64), 5.0)
    known = torch.ones_like(series, dtype=torch.bool)
    known[0, 20:30] = False
    flat = slopes(series, torch.ones_like(known))
    assert torch.equal(slopes(torch.where(known, series, 0.0), known), flat)
    assert not flat.any()


def test_bins_and_envelope_without_a_spectrum_are_refused() -> None:
    with pytest.raises(ValueError, match="spectrum=true"):
        SeriesSettings(envelope=True)
    with pytest.raises(ValueError, match="spectrum=true"):
        SeriesSettings(bins=4)


def test_instance_norm_forgets_scale_and_offset() -> None:
    reader = MODALITY.synthetic(4, 0)
    tokenizer = SeriesTokenizer(SeriesSettings(patch=8, norm="instance"), width=8, spec=reader.spec())
    sample = reader.read(0)
    moved = Sample({"main": sample.streams["main"] * 3 + 7}, id="moved")
    made = tokens(tokenizer, [sample, moved])
    torch.testing.assert_close(made.x[0], made.x[1], atol=1e-4, rtol=1e-3)


def test_a_missing_value_is_not_zero() -> None:
    tokenizer = SeriesTokenizer(SeriesSettings(patch=4, norm="none"), width=8, spec={"channels": 1})
    zero, gone = np.ones((1, 8), np.float32), np.ones((1, 8), np.float32)
    zero[0, 1], gone[0, 1] = 0.0, np.nan
    made = tokens(tokenizer, [Sample({"main": zero}, id="a"), Sample({"main": gone}, id="b")])
    assert not torch.allclose(made.x[0, 0], made.x[1, 0])
    torch.testing.assert_close(made.x[0, 1], made.x[1, 1])


def test_patches_that_are_mostly_missing_are_no_tokens() -> None:
    tokenizer = SeriesTokenizer(SeriesSettings(patch=4), width=8, spec={"channels": 1})
    series = np.ones((1, 12), np.float32)
    series[0, 4:7] = np.nan
    layout = tokenizer.layout(Sample({"main": series}, id="a"), "main")
    assert layout is not None
    assert layout.valid.tolist() == [True, False, True]


def test_views_are_keyed_and_keep_gaps() -> None:
    sample = MODALITY.synthetic(1, 0).read(0)
    view = JitterView(JitterSettings(crop=0.5, shift=True, scale=0.2, noise=0.1))
    ours, theirs = (view(sample, np.random.Generator(np.random.Philox(key=3)), 0.0) for _ in range(2))
    np.testing.assert_array_equal(ours.streams["main"], theirs.streams["main"])
    assert ours.streams["main"].dtype == np.float32


def test_damaged_files_give_only_documented_errors(tmp_path: Path) -> None:
    good = Path(save(tmp_path / "good.npz", x=np.random.default_rng(0).normal(size=(4, 2, 20)), y=np.arange(4), sfreq=10.0))
    pd.DataFrame(np.random.default_rng(0).normal(size=(20, 3)), columns=list("abc")).to_parquet(tmp_path / "good.parquet")
    (tmp_path / "good.csv").write_text("time,a,b\n" + "\n".join(f"{row},{row * 0.5},{row * 0.1}" for row in range(20)))
    head = "@problemName p\n@timestamps false\n@univariate true\n@classLabel true 0 1\n@data\n"
    (tmp_path / "good.ts").write_text(head + "1,2,3,4:0\n2,3,4,5:1\n")
    rng = np.random.default_rng(1)
    said: list[str] = []
    for suffix in (".npz", ".parquet", ".csv", ".ts"):
        content = np.frombuffer(good.with_suffix(suffix).read_bytes(), dtype=np.uint8)
        for turn in range(int(os.environ.get("JEPAKIT_MUTATIONS", "60"))):
            broken = content.copy()
            broken[rng.integers(0, len(broken), 6)] = rng.integers(0, 256, 6)
            path = tmp_path / f"broken{suffix}"
            path.write_bytes(broken[: rng.integers(1, len(broken))].tobytes() if turn % 2 else broken.tobytes())
            try:
                MODALITY.open(str(path), "train").read(0)
            except DataError as error:
                said.append(str(error))
    assert len(said) > 60
    assert all(str(tmp_path) in sentence for sentence in said)


def test_ts_files_without_aeon_name_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aeon.datasets", None)
    (tmp_path / "a.ts").write_text("@data\n1,2,3\n")
    with pytest.raises(DataError, match=r"pip install \"jepakit\[timeseries\]\""):
        MODALITY.open(str(tmp_path / "a.ts"), "train")


def test_a_patch_chosen_for_one_rate_is_refused_at_another() -> None:
    settings = SeriesSettings(patch=4, rate_hz=100)
    with pytest.raises(DataError, match=r"for 100 Hz, the data have 360 Hz; read it with PATH::rate=100"):
        SeriesTokenizer(settings, width=8, spec={"channels": 1, "rate_hz": 360.0})
    tokenizer = SeriesTokenizer(settings, width=8, spec={"channels": 1, "rate_hz": 100.02})
    series = {"main": np.zeros((1, 8), np.float32)}
    assert tokenizer.layout(Sample(series, "unknown"), "main") is not None
    with pytest.raises(DataError, match="other has 50 Hz"):
        tokenizer.layout(Sample(series, "other", meta={"rate_hz": 50.0}), "main")


def test_raw_features_of_ragged_parts_fit_together(tmp_path: Path) -> None:
    x = np.ones((3, 2, 30), np.float32)
    parts = [
        MODALITY.open(save(tmp_path / f"{longest}.npz", x=x[..., :longest], len=[longest, 9, longest]), "train") for longest in (26, 29)
    ]
    assert {MODALITY.raw_features(part.read(index)).shape for part in parts for index in range(3)} == {(128,)}
    whole = MODALITY.open(save(tmp_path / "a.npz", x=x), "train")
    assert MODALITY.raw_features(whole.read(0)).shape == (60,)


def test_values_beyond_float32_are_said(tmp_path: Path) -> None:
    for value in (1e300, np.inf):
        with pytest.raises(DataError, match=r"a\.npz.*infinite or beyond 3e\+38"):
            MODALITY.open(save(tmp_path / "a.npz", x=np.array([[1.0, value]])), "train")


@pytest.mark.parametrize(
    ("source", "said"), [("nowhere.npz", "no such file"), ("a.npz::widow=3", "options are"), ("bundled:osu", "osu-leaf")]
)
def test_errors_say_what_to_do(source: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        MODALITY.open(source, "train")


def test_bundled_sets_have_their_official_sizes() -> None:
    pytest.importorskip("aeon")
    train, test = (MODALITY.open("bundled:japanese-vowels", split) for split in ("train", "test"))
    assert (len(train), len(test)) == (270, 370)
    assert train.read(0).streams["main"].shape[0] == 12


def test_modality_keeps_its_promises() -> None:
    for check in check_modality(MODALITY):
        outcome = run_check(check)
        assert outcome.good, outcome


@pytest.mark.parametrize("channels", ["joint", "independent"])
def test_a_patch_that_the_series_ends_in_is_drawn_as_wide_as_what_it_holds(channels: str) -> None:
    sample = Sample({"main": np.zeros((2, 256), dtype=np.float32)}, "a", meta={"rate_hz": None})
    tokenizer = SeriesTokenizer(SeriesSettings(patch=100, channels=channels), width=8, spec={"channels": 2})
    layout = tokenizer.layout(sample, "main")
    assert layout is not None
    ends = np.array([2]) if channels == "joint" else np.array([2, 5])
    plan = MaskPlan(contexts=(Context(IndexSet(ends)),))
    page = TimeSeriesModality().mask_picture(sample, layout, plan)
    assert page is not None
    seen = (page == 255).all(-1).any(0)
    assert np.flatnonzero(seen).tolist() == list(range(200, 256))
