"""In which number format a step runs. Weights, averages, optimiser and losses are float32 always.

- `float32`: all of it.
- `bf16`: torch's autocast, matrix products in bfloat16, the rest in float32.
- `bf16-weights`: the step runs on bfloat16 copies of the weights, cast once a step with the gradient flowing back through the cast,
  so activations are bfloat16 throughout. Fewer casts and half the memory traffic: the fastest on a CPU with bfloat16 instructions.
- `auto`: `bf16-weights` on such a CPU, `bf16` on an accelerator that has it, else `float32`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn
from torch.func import functional_call

Precision = Literal["auto", "float32", "bf16", "bf16-weights"]


def resolve(precision: Precision, device: torch.device) -> Precision:
    """What `auto` means on this device."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "float32"
    return "bf16-weights" if cpu_has_bf16() else "float32"


@cache
def cpu_has_bf16() -> bool:
    """Whether the CPU multiplies bfloat16 in hardware (AVX512-BF16 or AMX); False where the system does not tell."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return False
    flags = info.read_text(errors="replace")
    return "avx512_bf16" in flags or "amx_bf16" in flags


def run(module: nn.Module, precision: Precision, *args: Any) -> Any:
    """`module(*args)` in the given precision (not `auto`); gradients arrive at the float32 weights."""
    if precision == "bf16-weights":
        return functional_call(module, narrow(module), args)
    if precision == "bf16":
        device = next(module.parameters()).device.type
        with torch.autocast(device, dtype=torch.bfloat16):
            return module(*args)
    return module(*args)


def narrow(module: nn.Module) -> dict[str, torch.Tensor]:
    """Every floating-point parameter of a module in bfloat16, differentiably."""
    return {name: weight.to(torch.bfloat16) for name, weight in module.named_parameters() if weight.is_floating_point()}
