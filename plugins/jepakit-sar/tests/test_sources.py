"""Amplitude, whatever was stored, and scenes tile by tile."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jepakit_sar.modality import SarModality
from jepakit_sar.quantity import amplitude
from jepakit_sar.tokenizer import SarTokenizer, SarTokenizerSettings

from jepakit.sdk import DataError, Sample


def stored(truth: np.ndarray, quantity: str) -> np.ndarray:
    if quantity == "db":
        return (20 * np.log10(truth)).astype(np.float32)
    phase = np.exp(1j * np.linspace(0, 6, truth.size)).reshape(truth.shape)
    kinds = {"amplitude": truth, "intensity": truth**2, "complex": truth * phase}
    return kinds[quantity].astype(np.complex64 if quantity == "complex" else np.float32)


@given(quantity=st.sampled_from(["amplitude", "intensity", "complex", "db"]), seed=st.integers(0, 99))
def test_every_quantity_is_the_same_amplitude(quantity: str, seed: int) -> None:
    truth = np.random.Generator(np.random.Philox(key=seed)).uniform(0.01, 9, size=(1, 5, 5))
    np.testing.assert_allclose(amplitude(stored(truth, quantity), quantity), truth, rtol=1e-4)


def test_integers_stay_and_no_data_becomes_nan() -> None:
    pixels = np.array([[[0, 7], [8, 9]]], dtype=np.uint8)
    assert amplitude(pixels, "amplitude").dtype == np.uint8
    found = amplitude(pixels, "amplitude", nodata=0)
    assert found.dtype == np.float32
    assert np.isnan(found).sum() == 1


def test_decibels_taken_for_amplitudes_are_noticed() -> None:
    with pytest.raises(DataError, match=r"quantity=db"):
        amplitude(np.array([[[-12.5]]], dtype=np.float32), "amplitude")


@pytest.mark.parametrize("dtype", ["complex64", "float32", "uint8"])
def test_npz_of_any_number_format(tmp_path: Path, dtype: str) -> None:
    x = (np.arange(2 * 8 * 8 * 2).reshape(2, 2, 8, 8) % 200).astype(dtype)
    np.savez(tmp_path / "set.npz", x=x, y=np.array([0, 1]), class_names=np.array(["a", "b"]))
    reader = SarModality().open(str(tmp_path / "set.npz"), "train")
    assert reader.spec()["kind"] == "sar"
    assert reader.spec()["channels"] == 2
    assert reader.read(1).label == 1
    np.testing.assert_allclose(reader.read(1).streams["main"], np.abs(x[1]).astype(np.float32), rtol=1e-6)


@pytest.mark.parametrize(
    ("query", "said"),
    [("quantity=watt", "quantity"), ("tiles=4", "tiles"), ("tile=2", "tile"), ("tile=64", "tile is for TIFF")],
)
def test_wrong_options_are_named(tmp_path: Path, query: str, said: str) -> None:
    np.savez(tmp_path / "set.npz", x=np.ones((1, 8, 8), np.float32))
    with pytest.raises(DataError, match=said):
        SarModality().open(f"{tmp_path / 'set.npz'}::{query}", "train")


def write(path: Path, values: np.ndarray, nodata: float | None = None) -> None:
    rasterio = pytest.importorskip("rasterio")
    place = rasterio.Affine(0.001, 0.0, 10.0, 0.0, -0.001, 50.0)
    size = {"count": values.shape[0], "height": values.shape[1], "width": values.shape[2]}
    with rasterio.open(path, "w", driver="GTiff", dtype=str(values.dtype), nodata=nodata, crs="EPSG:4326", transform=place, **size) as file:
        file.write(values)


def test_tiles_of_a_scene_cover_it_once(tmp_path: Path) -> None:
    scene = np.random.Generator(np.random.Philox(key=0)).uniform(1, 2, size=(2, 70, 50)).astype(np.float32)
    write(tmp_path / "scene.tif", scene)
    reader = SarModality().open(f"{tmp_path / 'scene.tif'}::tile=16", "train")
    assert len(reader) == 4 * 3
    for index in range(len(reader)):
        sample = reader.read(index)
        top, left = (int(part) for part in sample.id.rpartition("@")[2].split("-"))
        np.testing.assert_array_equal(sample.streams["main"], scene[:, top : top + 16, left : left + 16])
        assert sample.group == sample.id  # one scene: a tile is a group
    overlapping = SarModality().open(f"{tmp_path / 'scene.tif'}::tile=16,step=8", "train")
    assert {overlapping.read(index).group for index in range(3)} == {"scene.tif"}


def test_no_data_of_the_file_is_no_token(tmp_path: Path) -> None:
    scene = np.full((1, 16, 16), -30.0, dtype=np.float32)
    scene[:, :8] = -9999
    write(tmp_path / "scene.tif", scene, nodata=-9999)
    reader = SarModality().open(f"{tmp_path / 'scene.tif'}::quantity=db", "train")
    sample = reader.read(0)
    tokenizer = SarTokenizer(SarTokenizerSettings(patch=4), width=8, spec=reader.spec())
    tokenizer.fit([sample])
    layout = tokenizer.layout(sample, "main")
    assert layout is not None
    assert layout.valid.reshape(4, 4).tolist() == [[False] * 4] * 2 + [[True] * 4] * 2


@pytest.mark.parametrize(("empty", "declared", "said"), [(np.nan, None, ""), (0.0, 0.0, ""), (-9999.0, None, ",nodata=-9999")])
def test_empty_corners_of_a_scene_are_no_tiles(tmp_path: Path, empty: float, declared: float | None, said: str) -> None:
    scene = np.ones((1, 64, 64), dtype=np.float32)
    scene[:, :16, :40] = empty  # the third tile of the first row has half its pixels
    write(tmp_path / "scene.tif", scene, nodata=declared)
    reader = SarModality().open(f"{tmp_path / 'scene.tif'}::tile=16{said}", "train")
    assert len(reader) == 16 - 2
    assert reader.read(0).id == "scene.tif@0-32"
    scene[:] = empty
    write(tmp_path / "nothing.tif", scene, nodata=declared)
    with pytest.raises(DataError, match=r"nothing\.tif: none of its 16 tiles has data"):
        SarModality().open(f"{tmp_path / 'nothing.tif'}::tile=16{said}", "train")


def test_folders_of_chips_are_classes(tmp_path: Path) -> None:
    for name in ("ship", "oil"):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "a.tif", np.ones((1, 16, 16), np.uint8))
    reader = SarModality().open(str(tmp_path), "train")
    assert [(reader.read(index).label, reader.read(index).group) for index in range(2)] == [(0, "oil/a.tif"), (1, "ship/a.tif")]
    assert reader.spec()["class_names"] == ["oil", "ship"]


def test_damaged_scene_is_named(tmp_path: Path) -> None:
    pytest.importorskip("rasterio")
    (tmp_path / "bad.tif").write_bytes(b"II*\x00 not a picture")
    with pytest.raises(DataError, match=r"bad\.tif"):
        SarModality().open(str(tmp_path / "bad.tif"), "train")


def test_pictures_and_features_bear_no_data() -> None:
    image = np.full((1, 16, 16), np.nan, dtype=np.float32)
    image[0, :8] = 3.0
    sample = Sample({"main": image}, id="half")
    modality = SarModality()
    assert np.isfinite(modality.raw_features(sample)).all()
    assert modality.picture(sample).dtype == np.uint8
