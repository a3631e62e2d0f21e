"""From a path to a reader: a folder of sweeps, or one sweep."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

from jepakit.sdk import DataError
from jepakit_lidar.address import parsed
from jepakit_lidar.reader import SweepReader
from jepakit_lidar.sweeps import DECODERS, decode
from jepakit_modalities.image.digest import digest
from jepakit_modalities.image.sources import printable

EXPECTED = "a folder of sweeps, or a file ending in " + ", ".join(DECODERS)


def open_sweeps(source: str) -> SweepReader:
    """A reader of whatever lies at the path in `source`."""
    said, options = parsed(source)
    path = Path(said).expanduser()
    try:
        if path.is_dir():
            files = inside(path, options.only)
        elif path.is_file() and path.suffix.lower() in DECODERS:
            files = [path]
        elif path.exists():
            raise DataError(f"{path}: can't tell what '{path.suffix}' is; expected {EXPECTED}")
        else:
            raise DataError(f"no such file or folder: {path}; expected {EXPECTED}")
        names = [printable((file.relative_to(path) if path.is_dir() else Path(file.name)).with_suffix("")) for file in files]
        made = digest(files, names)
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror or error})") from error
    return SweepReader(names, lambda number: decode(files[number]), options, origin=str(path), digest=made)


def inside(folder: Path, pattern: str) -> list[Path]:
    """Sweeps below a folder by name, hidden ones left out; of files that differ in their suffix alone, the richest is read."""
    found: dict[Path, Path] = {}
    preference = {suffix: number for number, suffix in enumerate(DECODERS)}
    for path in sorted(folder.rglob("*"), key=lambda path: preference.get(path.suffix.lower(), len(preference))):
        short = path.relative_to(folder)
        if path.suffix.lower() not in DECODERS or not path.is_file() or any(part.startswith(".") for part in short.parts):
            continue
        if any(fnmatch(path.stem, part) or fnmatch(path.name, part) for part in pattern.split("|")):
            found.setdefault(short.with_suffix(""), path)
    if not found:
        named = "" if pattern == "*" else f" named {pattern}"
        raise DataError(f"{folder}: holds no sweep{named}; expected files ending in {', '.join(DECODERS)}")
    return [found[name] for name in sorted(found)]
