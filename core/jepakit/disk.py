"""Files that survive `kill -9`, a full disk and a power cut.

Every effect on the disk is one `os` call in this file, so that tests can stop, fail or reorder each of them. The order that makes a
write durable: write the file, fsync the file, fsync its folder; rename, fsync the folder that holds both names.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

PIECE = 1 << 24
"""Bytes read or written by one call (16 MiB): a kill or a full disk shows up soon, and hashing needs no copy of the file."""


def write_new(path: Path, pieces: Iterable[bytes | memoryview], *, mode: int = 0o600) -> tuple[int, str]:
    """Create `path`, which must not exist, write the pieces and fsync. Returns the size and the sha256 of what was meant to be written."""
    size, digest = 0, hashlib.sha256()
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        for piece in _split(pieces):
            digest.update(piece)
            size += len(piece)
            _write_all(file, piece)
        os.fsync(file)
    finally:
        os.close(file)
    return size, digest.hexdigest()


def _split(pieces: Iterable[bytes | memoryview]) -> Iterator[memoryview]:
    for piece in pieces:
        view = memoryview(piece)
        for start in range(0, len(view), PIECE):
            yield view[start : start + PIECE]


def _write_all(file: int, piece: memoryview) -> None:
    while len(piece):
        piece = piece[os.write(file, piece) :]


def replace_file(path: Path, data: bytes) -> None:
    """Put `data` under `path` at once: whoever opens it, whenever, finds all of the old content or all of the new."""
    temporary = path.with_name(f".tmp-{path.name}")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    try:
        write_new(temporary, [data], mode=0o644)
        os.rename(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    sync_folder(path.parent)


def make_folder(path: Path) -> None:
    """Create one folder that only its owner can enter."""
    os.mkdir(path, 0o700)


def rename(source: Path, destination: Path) -> None:
    """Move within one folder; durable after `sync_folder` of that folder."""
    os.rename(source, destination)


def sync_folder(path: Path) -> None:
    """Make the names in this folder durable: what was created, renamed or removed in it."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def remove_folder(path: Path) -> None:
    """Delete a folder and all that is in it; a link is deleted, never followed."""
    with os.scandir(path) as entries:
        found = list(entries)
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            remove_folder(Path(entry.path))
        else:
            os.unlink(entry.path)
    os.rmdir(path)


def free_bytes(path: Path) -> int:
    """Bytes that this user may still write on the disk that holds `path`."""
    disk = os.statvfs(path)
    return disk.f_bavail * disk.f_frsize


@contextlib.contextmanager
def open_regular(path: Path, *, limit: int | None = None) -> Iterator[int]:
    """A descriptor to read a regular file of at most `limit` bytes. OSError for a link, a pipe, a device or a larger file."""
    # O_NONBLOCK: opening a pipe that nobody writes to would wait for ever
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(f"{path} is not a regular file")
        if limit is not None and status.st_size > limit:
            raise OSError(f"{path} has {status.st_size} bytes, more than the {limit} that it may have")
        yield file
    finally:
        os.close(file)


def read_file(path: Path, *, limit: int) -> bytes:
    """The bytes of a regular file of at most `limit` bytes; OSError otherwise."""
    with open_regular(path, limit=limit) as file, os.fdopen(os.dup(file), "rb") as stream:
        return stream.read(limit)


def digest_file(path: Path, *, limit: int) -> str:
    """sha256 of a regular file of at most `limit` bytes, read piece by piece."""
    with open_regular(path, limit=limit) as file, os.fdopen(os.dup(file), "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
