"""Between live objects and flat named tensors: modules, optimiser state by parameter name, exported weights."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from jepakit import disk
from jepakit.checkpoint.tensors import safetensors_pieces
from jepakit.errors import CheckpointError


def pack_module(prefix: str, module: nn.Module) -> dict[str, Tensor]:
    """{"prefix/encoder.blocks.0.w": tensor}: parameters and persistent buffers, shared with the module, not copied."""
    state = module.state_dict()
    odd = [name for name, value in state.items() if not isinstance(value, Tensor)]
    if odd:
        raise CheckpointError(f"{prefix}: state_dict entries that are not tensors can't be saved: {_few(odd)}; keep them as buffers")
    return {f"{prefix}/{name}": value for name, value in state.items()}


def unpack_module(prefix: str, tensors: Mapping[str, Tensor], module: nn.Module) -> None:
    """Copy `prefix`/... into the module. CheckpointError, with the module unchanged, unless names and shapes are exactly the module's."""
    saved = section(prefix, tensors)
    own = {name: value for name, value in module.state_dict().items() if isinstance(value, Tensor)}
    shapes = [f"{n} is {_shape(saved[n])}, the model has {_shape(own[n])}" for n in own if n in saved and saved[n].shape != own[n].shape]
    _refuse(prefix, {"missing": own.keys() - saved.keys(), "unexpected": saved.keys() - own.keys(), "of another shape": shapes})
    module.load_state_dict(saved)


def pack_optimizer(prefix: str, optimizer: Optimizer, named: Iterable[tuple[str, nn.Parameter]]) -> dict[str, Tensor]:
    """{"prefix/exp_avg/encoder.w": tensor}: by the name of the parameter, so that the order of the parameters does not matter.

    named: `module.named_parameters()`. Rates and decay are not saved: they are functions of the step.
    """
    packed = {}
    for name, parameter in named:
        for key, value in optimizer.state.get(parameter, {}).items():
            if not isinstance(value, Tensor):
                raise CheckpointError(f"{prefix}: state '{key}' of {name} is a {type(value).__name__}, only tensors can be saved")
            packed[f"{prefix}/{key}/{name}"] = value
    return packed


def unpack_optimizer(prefix: str, tensors: Mapping[str, Tensor], optimizer: Optimizer, named: Iterable[tuple[str, nn.Parameter]]) -> None:
    """Put saved state back. CheckpointError, with the optimiser unchanged, for unknown parameters, gaps and wrong shapes.

    A parameter without any saved state starts anew, as it had none: it never got a gradient.
    """
    parameters = dict(named)
    saved = _by_parameter(section(prefix, tensors))
    keys = set().union(*(state.keys() for state in saved.values()))
    gaps = [f"{key}/{name}" for name, state in saved.items() for key in keys - state.keys()]
    shapes = [
        f"{key}/{name}"
        for name, state in saved.items()
        for key, value in state.items()
        if name in parameters and value.ndim and value.shape != parameters[name].shape
    ]
    _refuse(prefix, {"missing": gaps, "unexpected": saved.keys() - parameters.keys(), "of another shape": shapes})
    names = {id(parameter): name for name, parameter in parameters.items()}
    order = [names.get(id(parameter), "") for group in optimizer.param_groups for parameter in group["params"]]
    state = {number: saved[name] for number, name in enumerate(order) if name in saved}
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _by_parameter(flat: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    saved: dict[str, dict[str, Tensor]] = {}
    for name, value in flat.items():
        key, _, parameter = name.partition("/")
        saved.setdefault(parameter, {})[key] = value
    return saved


def section(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors below `prefix`/, without it."""
    return {name.removeprefix(f"{prefix}/"): value for name, value in tensors.items() if name.startswith(f"{prefix}/")}


def export_weights(path: Path, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """One safetensors file for other programs, and `meta` beside it as JSON under the same name. Existing files are replaced."""
    temporary = path.with_name(f".tmp-{path.name}")
    try:
        temporary.unlink(missing_ok=True)
        disk.write_new(temporary, safetensors_pieces(tensors), mode=0o644)
        disk.rename(temporary, path)
        disk.replace_file(path.with_suffix(".json"), json.dumps(dict(meta), indent=2).encode())
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise CheckpointError(f"{path} could not be written: {error}") from error


def _refuse(prefix: str, wrong: Mapping[str, Iterable[str]]) -> None:
    found = [f"{what}: {_few(sorted(names))}" for what, names in wrong.items() if names]
    if found:
        raise CheckpointError(
            f"the checkpoint does not fit '{prefix}': {'; '.join(found)}. "
            "Use the config it was trained with, and data of the same channels or columns."
        )


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _shape(tensor: Tensor) -> str:
    return str(tuple(tensor.shape))
