from __future__ import annotations

import json
import math
import stat
from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st

from jepakit.checkpoint import FOLDER, State, best, export_weights, latest, load_latest, load_step, save, steps, verify
from jepakit.checkpoint.format import DTYPES
from jepakit.checkpoint.tensors import parse_safetensors, safetensors_pieces
from jepakit.errors import CheckpointError


def state_of(step: int, value: float = 0.0) -> State:
    return State(step, {"w": torch.full((2,), value)}, {"step": step})


def test_every_dtype_and_shape_comes_back(tmp_path: Path) -> None:
    tensors = {str(dtype): torch.arange(6).reshape(2, 3).to(dtype) for dtype in DTYPES}
    tensors |= {"scalar": torch.tensor(2.5), "empty": torch.empty(0, 3), "strided": torch.arange(12.0).reshape(3, 4).T}
    tensors |= {"expanded": torch.ones(1).expand(3, 2)}
    save(tmp_path, 3, State(3, tensors))
    found = load_latest(tmp_path).tensors
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name].double(), tensor.double())


def test_the_file_is_what_the_safetensors_library_writes() -> None:
    tensors = {"b": torch.ones(3, dtype=torch.int8), "a": torch.arange(4.0), "c": torch.zeros(2, dtype=torch.float64)}
    ours = b"".join(safetensors_pieces(tensors))
    assert ours == safetensors.torch.save(tensors)


@given(st.dictionaries(st.text(max_size=5), st.tuples(st.lists(st.integers(0, 4), max_size=3), st.sampled_from(list(DTYPES))), max_size=5))
def test_any_set_of_tensors_survives_serialising(spec: dict[str, tuple[list[int], torch.dtype]]) -> None:
    tensors = {name: torch.ones(shape).to(dtype) for name, (shape, dtype) in spec.items() if name != "__metadata__"}
    found = parse_safetensors(b"".join(bytes(piece) for piece in safetensors_pieces(tensors)))
    assert {name: (x.shape, x.dtype) for name, x in found.items()} == {name: (x.shape, x.dtype) for name, x in tensors.items()}


def test_scalars_come_back_exactly(tmp_path: Path) -> None:
    scalars = {"stream": {"seed": 1, "n": 10**18, "fingerprint": "ä"}, "best": -math.inf, "flags": [True, None, 0.1]}
    save(tmp_path, 1, State(1, {}, scalars))
    assert load_latest(tmp_path).scalars == scalars


def test_where_it_was_made_comes_back(tmp_path: Path) -> None:
    save(tmp_path, 1, state_of(1))
    assert load_latest(tmp_path).made_with == {"torch": torch.__version__, "threads": torch.get_num_threads(), "device": "cpu"}


def test_the_newest_and_the_best_stay(tmp_path: Path) -> None:
    for step in (10, 20, 30, 40, 50):
        save(tmp_path, step, state_of(step), keep=2, best=step in (10, 20))
    assert steps(tmp_path) == [20, 40, 50]
    assert (latest(tmp_path), best(tmp_path)) == (50, 20)
    assert load_step(tmp_path, 20).scalars == {"step": 20}


def test_a_step_saved_again_is_replaced(tmp_path: Path) -> None:
    for value in (1.0, 2.0, 3.0):
        save(tmp_path, 5, state_of(5, value))
    assert load_latest(tmp_path).tensors["w"].tolist() == [3.0, 3.0]
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == ["step-00000005.2"]


def test_going_back_makes_the_earlier_step_the_latest(tmp_path: Path) -> None:
    for step in (10, 20, 15):
        save(tmp_path, step, state_of(step))
    assert steps(tmp_path) == [10, 15]


def test_a_damaged_one_does_not_count_towards_keep(tmp_path: Path) -> None:
    save(tmp_path, 1, state_of(1))
    (save(tmp_path, 2, state_of(2)) / "COMPLETE").unlink()
    save(tmp_path, 3, state_of(3), keep=2)
    assert steps(tmp_path) == [1, 2, 3]
    save(tmp_path, 4, state_of(4), keep=2)
    assert steps(tmp_path) == [3, 4]


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    path = save(tmp_path, 1, state_of(1))
    assert [stat.S_IMODE(file.stat().st_mode) for file in (path, *sorted(path.iterdir()))] == [0o700, 0o600, 0o600, 0o600]


@pytest.mark.parametrize(
    ("step", "state", "keep", "message"),
    [
        (2, State(1, {}), 2, "step 2 can't hold a state of step 1"),
        (-1, State(-1, {}), 2, "0 or more"),
        (1, State(1, {}), 0, "keep is 0"),
        (1, State(1, {"c": torch.ones(1, dtype=torch.complex64)}), 2, "'c' is torch.complex64"),
        (1, State(1, {}, {"a": {"b": [torch.ones(1)]}}), 2, r"scalars\.a\.b\[0\] is a Tensor"),
        (1, State(1, {}, {"a": {1: 2}}), 2, r"scalars\.a has the key 1"),
    ],
)
def test_a_state_that_can_not_be_written_is_refused_before_the_disk_is_touched(
    tmp_path: Path, step: int, state: State, keep: int, message: str
) -> None:
    with pytest.raises(CheckpointError, match=message):
        save(tmp_path, step, state, keep=keep)
    assert list(tmp_path.iterdir()) == []


def test_nothing_to_load_is_said(tmp_path: Path) -> None:
    assert (latest(tmp_path), best(tmp_path), steps(tmp_path)) == (None, None, [])
    with pytest.raises(CheckpointError, match="no checkpoint in"):
        load_latest(tmp_path)
    save(tmp_path, 7, state_of(7))
    with pytest.raises(CheckpointError, match=r"no checkpoint of step 8 .* there is: 7"):
        load_step(tmp_path, 8)


def test_verify_returns_the_manifest(tmp_path: Path) -> None:
    manifest = verify(save(tmp_path, 7, state_of(7), best=True))
    assert (manifest.step, manifest.best, manifest.tensors["w"].shape) == (7, True, [2])


def test_export_is_one_file_that_any_program_reads(tmp_path: Path) -> None:
    path = tmp_path / "encoder.safetensors"
    for value in (1.0, 2.0):
        export_weights(path, {"w": torch.full((2,), value)}, {"width": 4})
    assert safetensors.torch.load_file(path)["w"].tolist() == [2.0, 2.0]
    assert json.loads((tmp_path / "encoder.json").read_text()) == {"width": 4}
    assert sorted(file.name for file in tmp_path.iterdir()) == ["encoder.json", "encoder.safetensors"]


def test_export_into_a_missing_folder_is_a_checkpoint_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"encoder\.safetensors could not be written"):
        export_weights(tmp_path / "none" / "encoder.safetensors", {}, {})
