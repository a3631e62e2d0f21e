"""EEGLAB's .set files are MAT-files of version 5; scipy 1.17 crashes on damaged ones, so the skeleton is walked before it reads them.

Only tags are looked at (MathWorks, MAT-File Format, chapter 1): types that exist, sizes that fit, and what every array starts with.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from jepakit.sdk import DataError, ReadBudget

BUDGET = ReadBudget()
HEADER = 128
INT8, INT32, UINT32, MATRIX, COMPRESSED = 1, 5, 6, 14, 15
TYPES = frozenset((*range(1, 8), 9, 12, 13, MATRIX, COMPRESSED, 16, 17, 18))
"""Data types of chapter 1, table "MAT-file data types"; 8, 10 and 11 are reserved."""
CELL, STRUCT, SPARSE, NUMBERS = 1, 2, 5, range(4, 16)
"""Classes of arrays, table "MATLAB array types"; 4 are letters. Objects, 3, sparse arrays, 5, and functions do not stand in .set files."""
COMPLEX = 0x0800
DEEPEST = 32
"""Arrays within arrays; EEGLAB nests four."""


def check_matfile(path: Path) -> None:
    """DataError for a damaged MAT-file of version 5; nothing for other files (version 7.3 is HDF5)."""
    data = path.read_bytes()
    if len(data) < HEADER or data[126:128] not in (b"IM", b"MI"):
        return
    order = "<" if data[126:128] == b"IM" else ">"
    try:
        for kind, part in elements(data[HEADER:], order):
            check_element(kind, part, order, path, depth=0)
    except (ValueError, struct.error, zlib.error) as error:
        raise DataError(f"{path}: damaged MAT-file ({error}); save it again from EEGLAB") from error


def check_element(kind: int, data: bytes, order: str, path: Path, depth: int) -> None:
    """ValueError for an array whose skeleton is broken, at any depth."""
    if depth > DEEPEST:
        raise ValueError(f"arrays nested more than {DEEPEST} deep")
    if kind == COMPRESSED:
        unpacker = zlib.decompressobj()
        unpacked = unpacker.decompress(data, min(BUDGET.max_decoded_bytes, int(BUDGET.max_ratio * len(data)) + (64 << 20)))
        if unpacker.unconsumed_tail or not unpacker.eof:
            raise ValueError("a compressed part is cut off, or unpacks to far too much")
        for inner, part in elements(unpacked, order):
            check_element(inner, part, order, path, depth + 1)
    if kind == MATRIX and data:
        parts = list(elements(data, order))
        if [part for part, _ in parts[:3]] != [UINT32, INT32, INT8] or len(parts[0][1]) != 8 or len(parts[1][1]) % 4:
            raise ValueError("an array does not start with flags, dimensions and name")
        (flags,) = struct.unpack_from(f"{order}I", parts[0][1])
        check_members(flags & 0xFF, bool(flags & COMPLEX), [part for part, _ in parts[3:]])
        for inner, part in parts[3:]:
            check_element(inner, part, order, path, depth + 1)


def check_members(kind: int, with_imaginary: bool, members: list[int]) -> None:
    """ValueError unless an array of this class has the parts it must: numbers and letters one, two if complex; cells and structs arrays."""
    if kind in NUMBERS and kind != SPARSE:
        right = len(members) == 1 + with_imaginary and not {MATRIX, COMPRESSED}.intersection(members)
    elif kind == CELL:
        right = set(members) <= {MATRIX}
    elif kind == STRUCT:
        right = len(members) >= 2 and members[:2] == [INT32, INT8] and set(members[2:]) <= {MATRIX}
    else:
        right = False
    if not right:
        raise ValueError(f"an array of class {kind} with parts of types {members[:8]}")


def elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """(type, content) one after another; ValueError for a type that does not exist or a size beyond the end."""
    place = 0
    while place < len(data):
        (first,) = struct.unpack_from(f"{order}I", data, place)
        if first >> 16:  # small element: size and type in one word, content in the next
            kind, size, start, after = first & 0xFFFF, first >> 16, place + 4, place + 8
            if size > 4:
                raise ValueError(f"a small element of {size} bytes at byte {place}")
        else:
            (size,) = struct.unpack_from(f"{order}I", data, place + 4)
            kind, start = first, place + 8
            after = start + size if kind == COMPRESSED else start + (size + 7) // 8 * 8
        if kind not in TYPES or start + size > len(data):
            raise ValueError(f"an element of type {kind} and {size} bytes at byte {place}")
        yield kind, data[start : start + size]
        place = after
