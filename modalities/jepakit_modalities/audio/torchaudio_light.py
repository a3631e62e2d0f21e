"""torchaudio without its compiled part.

Some wheels of torchaudio are linked against CUDA libraries that a machine without a GPU does not have. Importing such a wheel fails,
although filterbanks are pure Python. Only when the import fails in that way, a module without content stands in for the compiled
part; what needs that part (forced alignment, RNN-T loss) then says that it is missing, and nothing here uses it.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

from jepakit.sdk import DataError

COMPILED = "torchaudio._extension"


def functional() -> ModuleType:
    """`torchaudio.functional`. Raises DataError without torchaudio."""
    try:
        return import_module("torchaudio.functional")
    except ModuleNotFoundError as error:
        if error.name != "torchaudio":
            raise
        raise DataError('spectrograms need torchaudio, which is not installed: pip install "jepakit[audio]"') from error
    except (OSError, ImportError, RuntimeError):
        return without_compiled_part()


def without_compiled_part() -> ModuleType:
    """The same, with a stand-in for the compiled part."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchaudio"]:
        del sys.modules[name]  # what the failed import left behind
    sys.modules[COMPILED] = stand_in()
    return import_module("torchaudio.functional")


def stand_in() -> ModuleType:
    """The names that torchaudio asks its compiled part for, all saying that it is not there."""

    def missing(function: object) -> object:
        return function

    module = ModuleType(COMPILED)
    names = {"_IS_TORCHAUDIO_EXT_AVAILABLE": False, "_IS_ALIGN_AVAILABLE": False, "_IS_RIR_AVAILABLE": False}
    module.__dict__.update(names, fail_if_no_align=missing, fail_if_no_rir=missing, _check_cuda_version=lambda: None)
    return module
