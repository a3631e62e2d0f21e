"""Every error jepakit raises on purpose.

```
JepakitError
├── UsageError            the command line is off                                  exit 2
├── ConfigError           a recipe or an override is off                           exit 1
├── DataError             a file or a value in the data is off                     exit 1
├── ContractError         a component broke a contract (shape, dtype, range)       exit 3
├── PluginError           a plugin can't be found, loaded or used                  exit 3
│   └── ComponentError    code of a plugin raised something while it was in use    exit 3
├── CheckpointError       a checkpoint can't be read or written                    exit 1
├── RankLost              another process of the run has ended                     exit 1, or its own
└── TrainingStopped       the run can't go on: non-finite loss, collapse           exit 4
```

A message says what is wrong (file, field, value), what was expected and what to do, in one sentence where it fits.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class JepakitError(Exception):
    """Base of all errors raised on purpose; `exit_code` is what the command line ends with."""

    exit_code = 1


class UsageError(JepakitError):
    """The command line is off: an option that does not exist, two that exclude each other."""

    exit_code = 2


class ConfigError(JepakitError):
    """A recipe, a config file or an override is off; raised before any data is touched."""


class DataError(JepakitError):
    """A file, a field or a value in the data is off. Readers raise nothing else."""


class ContractError(JepakitError):
    """A component returned something that its contract does not allow."""

    exit_code = 3


class PluginError(JepakitError):
    """A plugin is missing, can't be loaded, clashes with another or failed while in use."""

    exit_code = 3


class ComponentError(PluginError):
    """Code of a plugin raised something of its own; `__cause__` is what it raised.

    distribution, version, role, name: whose code. samples: ids of the samples it was given, where that is known.
    """

    def __init__(self, sentence: str, *, distribution: str, version: str, role: str, name: str, samples: tuple[str, ...] = ()) -> None:
        super().__init__(sentence)
        self.distribution, self.version, self.role, self.name, self.samples = distribution, version, role, name, samples


class CheckpointError(JepakitError):
    """A checkpoint is missing, damaged, or could not be written."""


class RankLost(JepakitError):
    """A run on several ranks lost one of them. `exit_code` is that of the lost one where it is known."""

    def __init__(self, sentence: str, exit_code: int = 1) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code


class TrainingStopped(JepakitError):
    """Training ended before its last step: non-finite loss or collapse."""

    exit_code = 4


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of an error sentence for a misspelled name: ` Did you mean 'block'?`, or an empty string."""
    found = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" Did you mean '{found[0]}'?" if found else ""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> str:
    """One sentence for a name that is not known: what it is, what there is, and the nearest one."""
    choices = sorted(known)
    return f"no {kind} named '{name}'. There is: {', '.join(choices) or 'none'}.{nearest(name, choices)}"
