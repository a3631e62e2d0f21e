"""The folder of one run: what was asked for, what it ran on, what was measured, and a lock so that only one process writes to it.

```
RUN/  config.yaml  environment.json  metrics.jsonl  events/  checkpoints/  run.lock
```
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.metadata
import json
import math
import os
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import yaml

from jepakit import disk
from jepakit.errors import JepakitError

CONFIG, ENVIRONMENT, METRICS, LOCK, EVENTS = "config.yaml", "environment.json", "metrics.jsonl", "run.lock", "events"
PACKAGES = ("jepakit", "torch", "numpy", "einops", "safetensors", "scikit-learn", "pydantic", "pluggy", "pillow", "pandas", "pyarrow")


class RunFolder:
    """A run that this process owns: it holds the lock until `close` (or the end of the process, however it ends).

    Make one with `create` or `open`. To look at a run without owning it use `read_config` and `read_metrics`.
    """

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self.plugins: list[dict[str, str]] = []
        """What goes into every checkpoint about the plugins in use: distribution, version and hash of each."""
        self._lock = lock
        self._metrics: IO[str] | None = None

    @classmethod
    def create(cls, path: Path, config: Mapping[str, Any], environment: Mapping[str, Any]) -> Self:
        """A new run. JepakitError when the folder holds anything already, or can't be written."""
        with _readable_errors(path):
            path.mkdir(parents=True, exist_ok=True)
            _refuse_used(path)
            run = cls(path, _lock(path))
            try:
                _refuse_used(path)  # again, now that no other process can be creating it
                run.plugins = list(environment.get("plugins", ()))
                disk.replace_file(path / ENVIRONMENT, json.dumps(dict(environment), indent=2).encode())
                disk.replace_file(path / CONFIG, yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True).encode())
            except BaseException:
                run.close()
                raise
        return run

    @classmethod
    def open(cls, path: Path) -> Self:
        """An existing run, to go on with it. JepakitError when it is none, or when another process owns it."""
        if not (path / CONFIG).is_file():
            raise JepakitError(f"{path} is not a run: it has no {CONFIG}; give the folder that `jepakit train … --out` wrote")
        with _readable_errors(path):
            return cls(path, _lock(path))

    def config(self) -> dict[str, Any]:
        """The resolved config that the run was created with."""
        return read_config(self.path)

    def log(self, record: Mapping[str, Any]) -> None:
        """Append one line to metrics.jsonl, at once visible to other processes. Numbers that are not finite become null."""
        with _readable_errors(self.path):
            if self._metrics is None:
                self._metrics = (self.path / METRICS).open("a", encoding="utf-8")
            self._metrics.write(json.dumps(_finite(record), allow_nan=False) + "\n")
            self._metrics.flush()

    def rewind(self, step: int) -> None:
        """Forget what was measured after `step`, on resuming from its checkpoint; also a last line that a kill cut short."""
        self._close_metrics()
        kept = [record for record in read_metrics(self.path) if record.get("step", 0) <= step]
        with _readable_errors(self.path):
            disk.replace_file(self.path / METRICS, "".join(json.dumps(record) + "\n" for record in kept).encode())

    def close(self) -> None:
        """Release the lock. Harmless when called twice."""
        self._close_metrics()
        if self._lock >= 0:
            # said aloud, because data workers forked from this process hold copies of the descriptor
            fcntl.flock(self._lock, fcntl.LOCK_UN)
            os.close(self._lock)
            self._lock = -1

    def _close_metrics(self) -> None:
        if self._metrics is not None:
            self._metrics.close()
            self._metrics = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def read_config(path: Path) -> dict[str, Any]:
    """config.yaml of a run; JepakitError when it is missing or not a mapping."""
    try:
        config = yaml.safe_load((path / CONFIG).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise JepakitError(f"{path} is not a run: it has no {CONFIG}; give the folder that `jepakit train … --out` wrote") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise JepakitError(f"{path / CONFIG} can't be read: {error}") from error
    if not isinstance(config, dict):
        raise JepakitError(f"{path / CONFIG} is not a mapping; restore it from the recipe of the run")
    return config


def read_environment(path: Path) -> dict[str, Any]:
    """environment.json of a run; empty when it is missing or damaged, since nothing can't go on without it."""
    try:
        return _parse((path / ENVIRONMENT).read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError):
        return {}


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """All complete lines of metrics.jsonl, oldest first; empty when nothing was logged yet. A line cut short is left out."""
    try:
        text = (path / METRICS).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    return [record for line in text.splitlines() if (record := _parse(line)) is not None]


def _parse(line: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value


def _refuse_used(path: Path) -> None:
    if {entry.name for entry in path.iterdir()} - {LOCK}:
        remedy = f"go on with it by `jepakit resume {path}`, or" if (path / CONFIG).is_file() else "it is not a run;"
        raise JepakitError(f"{path} is not empty: {remedy} choose another folder with --out")


def _lock(path: Path) -> int:
    """A descriptor that holds the lock. The kernel frees it when the process dies, so a lock is never stale."""
    file = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = _parse(os.pread(file, 4096, 0).decode(errors="replace")) or {}
        os.close(file)
        where = f"pid {owner.get('pid', 'unknown')} on {owner.get('host', 'an unknown host')}"
        raise JepakitError(f"run {path} is in use by {where}; wait for it, stop it, or choose another folder with --out") from None
    os.ftruncate(file, 0)
    os.pwrite(file, json.dumps({"pid": os.getpid(), "host": platform.node()}).encode(), 0)
    return file


@contextlib.contextmanager
def _readable_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise JepakitError(f"run folder {path} can't be used: {error.strerror or error}; check the disk and its permissions") from error


def environment(
    *, threads: int, device: str, ranks: int = 1, plugins: Iterable[Mapping[str, Any]] = (), packages: Sequence[str] = PACKAGES
) -> dict[str, Any]:
    """What the run runs on, for environment.json: versions are read from package metadata, nothing is imported.

    threads, device: of torch, as the caller set them. ranks: processes that train it together. plugins: one mapping a
    plugin (distribution, version, hash).
    """
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "threads": threads,
        "device": device,
        "ranks": ranks,
        "packages": {name: version for name in packages if (version := _version(name)) is not None},
        "plugins": [dict(plugin) for plugin in plugins],
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


class EventWriter:
    """TensorBoard events in RUN/events. Events after `step`, left by the run before it was resumed, are hidden."""

    def __init__(self, run: Path, step: int = 0) -> None:
        from torch.utils.tensorboard import SummaryWriter  # slow, and not every command needs it

        self._writer = SummaryWriter(str(run / EVENTS), purge_step=step + 1)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """One point a name."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Write out what is buffered."""
        self._writer.close()
