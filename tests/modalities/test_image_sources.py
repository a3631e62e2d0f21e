"""Images from folders, Parquet, npz and csv lists; every kind of bad input is one sentence that names file and field."""

from __future__ import annotations

import contextlib
import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from jepakit.sdk import DataError
from jepakit_modalities.image.decode import channels_first, decode_bytes
from jepakit_modalities.image.modality import ImageModality

COLOUR = np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8)


def encoded(array: np.ndarray = COLOUR, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind)
    return buffer.getvalue()


def open_(path: Path | str):
    return ImageModality().open(str(path), "train")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("cat/1.png", "cat/2.png", "dog/1.png"):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded())
    return tmp_path / "images"


def test_folders_are_classes(folder: Path) -> None:
    reader = open_(folder)
    assert [reader.read(index).label for index in range(3)] == [0, 0, 1]
    assert reader.read(2).id == str(Path("dog/1.png"))
    assert reader.spec() | {"kind": "image", "channels": 3, "shape": [3, 12, 10], "class_names": ["cat", "dog"]} == reader.spec()
    np.testing.assert_array_equal(reader.read(0).streams["main"], COLOUR.transpose(2, 0, 1))


def test_a_flat_folder_has_no_labels(folder: Path) -> None:
    assert open_(folder / "cat").read(0).label is None


def test_the_fingerprint_follows_the_data(folder: Path) -> None:
    seen = [open_(folder).fingerprint()]
    assert open_(folder).fingerprint() == seen[0]
    (folder / "dog").rename(folder / "wolf")
    seen.append(open_(folder).fingerprint())
    image = folder / "wolf" / "1.png"
    image.write_bytes(image.read_bytes()[:-1] + b"!")
    seen.append(open_(folder).fingerprint())
    (folder / "wolf" / "2.png").write_bytes(encoded())
    seen.append(open_(folder).fingerprint())
    assert len(set(seen)) == 4, "a class renamed, a byte changed, a file added"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_pixel_formats_are_kept(tmp_path: Path, dtype: type) -> None:
    array = np.arange(12, dtype=dtype).reshape(3, 4) * (200 if dtype == np.uint16 else 1)
    Image.fromarray(array).save(tmp_path / "a.tif")
    found = open_(tmp_path / "a.tif").read(0).streams["main"]
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, array[None])


@pytest.mark.parametrize(
    ("shape", "expected"), [((9, 8), (1, 9, 8)), ((9, 8, 3), (3, 9, 8)), ((3, 9, 8), (3, 9, 8)), ((64, 64, 13), (13, 64, 64))]
)
def test_channels_are_found(shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    assert channels_first(np.zeros(shape), "x").shape == expected


def test_parquet_in_the_hugging_face_layout(tmp_path: Path) -> None:
    images = [{"bytes": encoded(kind="JPEG"), "path": None}, {"bytes": encoded(COLOUR[..., 0], "JPEG"), "path": None}]
    pq.write_table(pa.table({"image": images, "label": [1, 0], "label_name": ["b", "a"]}), tmp_path / "train.parquet")
    reader = open_(tmp_path / "train.parquet")
    assert [reader.read(index).label for index in range(2)] == [1, 0]
    assert reader.spec()["class_names"] == ["a", "b"]
    assert reader.read(1).streams["main"].shape == (3, 12, 10), "a grey image in a colour set is repeated"


def test_npz_with_groups_scale_and_repeated_ids(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.ones((3, 4, 4), np.int16), y=[2, 0, 1], group=["s1", "s1", "s2"], id=["a", "a", "b"], scale=0.5)
    reader = open_(tmp_path / "a.npz")
    sample = reader.read(1)
    assert (sample.label, sample.group, sample.id) == (0, "s1", "a#1")
    assert sample.streams["main"].dtype == np.float32
    assert sample.streams["main"].max() == 0.5


def test_text_stored_as_bytes_is_text_and_no_group_is_none(tmp_path: Path) -> None:
    """The samples without a group must not form one: splits keep groups whole."""
    np.savez(tmp_path / "a.npz", x=np.ones((2, 4, 4), np.uint8), id=np.array([b"HB1", b"HB2"]), group=np.array([b"", b"s2"]))
    samples = [open_(tmp_path / "a.npz").read(index) for index in range(2)]
    assert [(each.id, each.group) for each in samples] == [("HB1", None), ("HB2", "s2")]
    pq.write_table(pa.table({"image": [encoded()] * 2, "group": ["s1", None]}), tmp_path / "a.parquet")
    assert [open_(tmp_path / "a.parquet").read(index).group for index in range(2)] == ["s1", None]
    (tmp_path / "1.png").write_bytes(encoded())
    (tmp_path / "2.png").write_bytes(encoded())
    (tmp_path / "a.csv").write_text("path,group\n1.png,NA\n2.png,\n")
    assert [open_(tmp_path / "a.csv").read(index).group for index in range(2)] == ["NA", None]


def test_parquet_of_several_row_groups(tmp_path: Path) -> None:
    images = [encoded(np.full((4, 4, 3), value, np.uint8)) for value in range(7)]
    pq.write_table(pa.table({"image": images, "labels": list(range(7))}), tmp_path / "a.parquet", row_group_size=2)
    reader = open_(tmp_path / "a.parquet")
    assert [int(reader.read(index).streams["main"][0, 0, 0]) for index in range(7)] == list(range(7))


def test_a_damaged_class_number_is_refused_and_fills_no_memory(tmp_path: Path) -> None:
    pq.write_table(pa.table({"image": [encoded()], "label": [1 << 62], "label_name": ["a"]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"column 'label': class number \d+; a class with a name needs a whole number from 0"):
        open_(tmp_path / "a.parquet")


def test_numbers_that_are_no_classes_stay_numbers(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.ones((2, 4, 4), np.uint8), y=[0.5, 2.0])
    np.savez(tmp_path / "b.npz", x=np.ones((2, 4, 4), np.uint8), y=[1.0, 2.0])
    assert [open_(tmp_path / "a.npz").read(index).label for index in range(2)] == [0.5, 2.0]
    label = open_(tmp_path / "b.npz").read(0).label
    assert (label, type(label)) == (1, int)


def test_a_csv_list_with_splits_numbers_classes_over_all(folder: Path) -> None:
    (folder / "list.csv").write_text("path,label,split\ncat/1.png,kitten,train\ncat/2.png,kitten,val\ndog/1.png,puppy,test\n")
    train, test, every = (ImageModality().open(str(folder / "list.csv"), split) for split in ("train", "test", "all"))
    assert [len(reader) for reader in (train, test, every)] == [1, 1, 3]
    assert (train.read(0).label, test.read(0).label) == (0, 1)
    (folder / "list.csv").write_text("path,split\ncat/1.png,val\n")
    with pytest.raises(DataError, match="column 'split' has no row 'train', only val"):
        open_(folder / "list.csv")


def test_hidden_folders_are_no_classes(folder: Path) -> None:
    (folder / ".thumbnails").mkdir()
    (folder / ".thumbnails" / "1.png").write_bytes(encoded())
    assert open_(folder).spec()["class_names"] == ["cat", "dog"]


def test_channels_have_names(folder: Path) -> None:
    assert open_(folder).read(0).meta["channels"] == ("red", "green", "blue")
    np.save(folder / "five.npy", np.zeros((5, 12, 10), np.uint8))
    assert open_(folder / "five.npy").read(0).meta["channels"] == ("0", "1", "2", "3", "4")


def test_foreign_byte_order_becomes_ours(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.full((4, 4), 258, dtype=">u2"))
    image = open_(tmp_path / "a.npy").read(0).streams["main"]
    assert (str(image.dtype), int(image[0, 0, 0])) == ("uint16", 258)


def test_csv_list(folder: Path) -> None:
    (folder / "list.csv").write_text("path,label,group\ncat/1.png,kitten,p1\ndog/1.png,puppy,p2\n")
    reader = open_(folder / "list.csv")
    assert reader.spec()["class_names"] == ["kitten", "puppy"]
    assert [reader.read(index).group for index in range(2)] == ["p1", "p2"]


def broken_parquet(path: Path) -> None:
    path.write_bytes(b"PAR1 nothing")


def imageless_parquet(path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), path)


def numpy_header(path: Path) -> None:
    """An .npy file that declares 10^15 numbers and holds none."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": (10**5, 10**5, 10**5)})


def lying_npz(path: Path) -> None:
    numpy_header(path.with_suffix(".npy"))
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(path.with_suffix(".npy"), "x.npy")


def two_names(path: Path) -> None:
    pq.write_table(pa.table({"image": [encoded()] * 2, "label": [0, 0], "label_name": ["a", "b"]}), path)


def listed(text: str):
    """Writes a csv list beside an image a.png."""

    def make(path: Path) -> None:
        (path.parent / "a.png").write_bytes(encoded())
        path.write_text(text)

    return make


BAD = [
    ("nothing.png", None, "no such file or folder: .*nothing.png"),
    ("a.docx", lambda path: path.write_text("x"), r"can't tell what '\.docx' is"),
    ("empty", Path.mkdir, "holds no image"),
    ("a.parquet", broken_parquet, "not a readable Parquet file"),
    ("b.parquet", imageless_parquet, "no column with images.*found a"),
    ("a.npz", lambda path: path.write_bytes(b"PK nothing"), r"not a plain \.npz file"),
    ("b.npz", lambda path: np.savez(path, y=[1]), "there is no x"),
    ("c.npz", lambda path: np.savez(path, x=np.zeros((2, 3, 3)), y=[1]), "y has 1 entries for 2 images"),
    ("d.npz", lambda path: np.savez(path, x=np.array([{}], dtype=object)), r"not a plain \.npz file"),
    ("a.csv", lambda path: path.write_text("file\nx.png\n"), "no column 'path'; found file"),
    ("b.csv", lambda path: path.write_text("path,label\na.png,1\nb.png,\n"), "column 'label' is empty in line 3"),
    ("c.csv", lambda path: path.write_text(""), "not a readable csv file"),
    ("c.parquet", two_names, "class 0 is called 'a' and 'b'"),
    ("e.npz", lambda path: np.savez(path, x=np.zeros((2, 3, 3)), scale=[1, 2]), "expected one number for all images"),
    ("f.npz", lambda path: np.savez(path, x=np.zeros((2, 3, 3)), y=3), "y is 0-D; expected one entry an image"),
    ("g.npz", lambda path: np.savez(path, x=np.zeros((2, 3, 3)), group=[["a"], ["b"]]), "group is 2-D; expected one entry an image"),
    ("h.npz", lying_npz, r"not a plain \.npz file"),
    ("i.npz", lambda path: np.savez(path, x=np.zeros((2, 0, 3))), "holds no pixel"),
    ("a.npy", numpy_header, r"not a plain \.npy array"),
    ("d.csv", listed("path\na.png\nb.png\n"), "line 3: there is no image .*b.png"),
    ("e.csv", listed("path,path\na.png,a.png\n"), "two columns 'path'"),
    ("f.csv", listed("path\na.png\na.png\n"), "2 images are called 'a.png'"),
    ("x" * 300, None, "can't be read|no such file"),
]


@pytest.mark.parametrize(("name", "make", "said"), BAD, ids=[case[0] for case in BAD])
def test_bad_sources_are_one_sentence(tmp_path: Path, name: str, make, said: str) -> None:
    if make is not None:
        make(tmp_path / name)
    with pytest.raises(DataError, match=said) as caught:
        open_(tmp_path / name).spec()
    assert "\n" not in str(caught.value)


def test_a_truncated_image_is_named(folder: Path) -> None:
    (folder / "cat" / "1.png").write_bytes(encoded()[:60])
    with pytest.raises(DataError, match=r"cat.1\.png: damaged or truncated image"):
        open_(folder).read(0)


def test_mixed_channels_name_both_images(folder: Path) -> None:
    (folder / "dog" / "1.png").unlink()
    np.save(folder / "dog" / "1.npy", np.zeros((5, 12, 10), dtype=np.uint8))
    reader = open_(folder)
    with pytest.raises(DataError, match=r"dog.1\.npy has 5 channels of uint8, cat.1\.png has 3"):
        reader.read(2)


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(DataError, match="no split 'val'; there is train, test, all"):
        ImageModality().open("bundled:photos", "val")


def test_an_unknown_bundled_set_gives_the_nearest() -> None:
    with pytest.raises(DataError, match=r"Did you mean 'bundled:digits'\?"):
        open_("bundled:digit")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP", "WEBP", "GIF"])
def test_mutated_images_give_only_data_errors(kind: str) -> None:
    """Three hundred files a format with bytes flipped, cut or repeated: an image or a DataError, nothing else."""
    whole, rng = encoded(kind=kind), np.random.default_rng(1)
    for _ in range(300):
        data = bytearray(whole)
        for place in rng.integers(0, len(data), rng.integers(1, 6)):
            data[place] = rng.integers(256)
        if rng.random() < 0.3:
            data = data[: rng.integers(1, len(data))]
        with contextlib.suppress(DataError):
            assert decode_bytes(bytes(data), "x").ndim == 3


def containers() -> dict[str, bytes]:
    """Small sound files of every format that is no image, by name."""
    images = COLOUR[None].repeat(3, axis=0)
    made: dict[str, bytes] = {"c.csv": b"path,label,group\na.png,1,x\nb.png,2,y\n"}
    writers = {
        "a.npy": lambda file: np.save(file, COLOUR),
        "packed.npz": lambda file: np.savez_compressed(file, x=images, y=np.arange(3), scale=np.float32(2)),
        "plain.npz": lambda file: np.savez(file, x=images, group=np.array(["a", "b", "c"])),
        "a.parquet": lambda file: pq.write_table(pa.table({"image": [encoded()] * 3, "label": [0, 1, 2], "label_name": list("abc")}), file),
    }
    for name, write in writers.items():
        buffer = io.BytesIO()
        write(buffer)
        made[name] = buffer.getvalue()
    return made


@pytest.mark.parametrize(("name", "whole"), containers().items(), ids=containers())
def test_mutated_containers_give_only_data_errors(tmp_path: Path, name: str, whole: bytes) -> None:
    """Two hundred files a format with bytes flipped or cut: images or a DataError, nothing else."""
    path, rng = tmp_path / name, np.random.default_rng(1)
    for _ in range(200):
        data = bytearray(whole)
        for place in rng.integers(0, len(data), rng.integers(1, 6)):
            data[place] = rng.integers(256)
        path.write_bytes(data[: rng.integers(1, len(data))] if rng.random() < 0.2 else data)
        with contextlib.suppress(DataError):
            reader = open_(path)
            assert all(reader.read(index).streams["main"].ndim == 3 for index in range(len(reader)))


def test_photos_share_no_pixel_between_train_and_test() -> None:
    def spans(split: str) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for name in ImageModality().open("bundled:photos", split).listing.ids:
            _, photo, place = name.split("/")
            found.setdefault(photo, []).append(int(place.split("-")[1]))
        return found

    train, test = spans("train"), spans("test")
    assert len(train) == 16
    assert train.keys() == test.keys()
    assert all(max(train[photo]) + 32 <= min(test[photo]) for photo in train)


def test_digits_split_keeps_every_class() -> None:
    train, test = (ImageModality().open("bundled:digits", split) for split in ("train", "test"))
    assert len(train) + len(test) == 1797
    assert not set(train.listing.ids) & set(test.listing.ids)
    assert set(test.listing.labels) == set(range(10))


@pytest.mark.skipif("JEPAKIT_DATA" not in os.environ, reason="needs the real data sets")
def test_real_sets_open() -> None:
    data = Path(os.environ["JEPAKIT_DATA"])
    tiny, mstar = open_(data / "tiny_imagenet20" / "val.parquet"), open_(data / "mstar_soc10" / "test.npz")
    assert (len(tiny), tiny.read(5).streams["main"].shape) == (1000, (3, 64, 64))
    assert (len(mstar), mstar.read(5).streams["main"].shape) == (2425, (1, 64, 64))
    assert (mstar.read(0).id, mstar.read(0).group) == ("HB14931#0", None)
    assert {mstar.read(index).group for index in range(len(mstar))} > {None}
    names = [open_(data / "mstar_soc10" / f"{split}.npz").spec()["class_names"] for split in ("train", "test")]
    assert names[0] == names[1]
