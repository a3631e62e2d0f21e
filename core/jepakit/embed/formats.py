"""From parts to one file: Parquet, npz or zarr, streamed part by part under a temporary name and put in place at once.

npz and zarr hold one array a column (row, id, group, label, embedding, and token, coords, channel at token level); a column that is
null throughout is left out, a label that is missing among others is NaN, a group that is missing is an empty string.
"""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from jepakit import disk
from jepakit.embed.parts import Parts
from jepakit.errors import DataError, PluginError, UsageError

SUFFIXES = (".parquet", ".npz", ".zarr")
CHUNK_BYTES = 4 << 20
"""Size of a chunk of a zarr array: a few disk reads, and one chunk is little beside one part."""


def check_suffix(out: Path) -> str:
    """The suffix of `out` when it is one that can be written; UsageError or PluginError with what to do otherwise."""
    if out.suffix not in SUFFIXES:
        raise UsageError(f"--out {out}: can't tell the format from '{out.suffix}'; end it in one of {', '.join(SUFFIXES)}")
    if out.suffix == ".zarr" and find_spec("zarr") is None:
        raise PluginError('writing .zarr needs the package zarr: pip install "jepakit[zarr]", or choose .parquet')
    return out.suffix


def assemble(parts: Parts, count: int, out: Path) -> int:
    """All parts as one output, in order; returns the number of rows. Existing output is replaced when the new one is whole."""
    temporary = out.with_name(f".tmp-{out.name}")
    discard(temporary)
    schema = schema_of(parts, count)
    write = {".parquet": write_parquet, ".npz": write_npz, ".zarr": write_zarr}[out.suffix]
    rows = write(parts, count, schema, temporary)
    if out.suffix != ".zarr":
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
    elif out.exists():
        discard(out)
    temporary.rename(out)
    disk.sync_folder(out.resolve().parent)
    return rows


def discard(path: Path) -> None:
    """Delete a file or a folder, if there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def schema_of(parts: Parts, count: int) -> pa.Schema:
    """Columns of all parts: one part may hold whole labels and another fractions, then the column is fractions."""
    schemas = [pq.read_schema(parts.path(number)) for number in range(count)]
    found: pa.Schema = schemas[0]
    for schema in schemas[1:]:
        if pa.types.is_fixed_size_list(schema.field("label").type) != pa.types.is_fixed_size_list(found.field("label").type):
            raise DataError("some samples have labels of several numbers and some have none; give all of them one, or none")
        if schema.field("label").type == pa.float64():
            found = found.set(found.get_field_index("label"), schema.field("label"))
    return found


def write_parquet(parts: Parts, count: int, schema: pa.Schema, path: Path) -> int:
    """One row group a part."""
    rows = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for table in parts.tables(count):
            writer.write_table(table.cast(schema))
            rows += len(table)
    return rows


def write_npz(parts: Parts, count: int, schema: pa.Schema, path: Path) -> int:
    """An uncompressed zip of .npy files, as `np.load(path, allow_pickle=False)` reads it; one pass over the parts a column."""
    rows = sum(pq.read_metadata(parts.path(number)).num_rows for number in range(count))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name in schema.names:
            if (form := form_of(parts, count, schema, name)) is None:
                continue
            dtype, shape = form
            header = {"descr": dtype.str, "fortran_order": False, "shape": (rows, *shape)}
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array_header_2_0(file, header)  # type: ignore[no-untyped-call]  # numpy 2.4 types it
                for values in column(parts, count, schema, name):
                    file.write(np.ascontiguousarray(values.astype(dtype)).tobytes())
    return rows


def write_zarr(parts: Parts, count: int, schema: pa.Schema, path: Path) -> int:
    """A zarr group (format 2, which every zarr library reads), one array a column."""
    import zarr

    rows = sum(pq.read_metadata(parts.path(number)).num_rows for number in range(count))
    group = zarr.open_group(path, mode="w", zarr_format=2)
    for name in schema.names:
        if (form := form_of(parts, count, schema, name)) is None:
            continue
        dtype, shape = form
        chunk = max(1, min(rows, CHUNK_BYTES // (dtype.itemsize * int(np.prod(shape)))))
        array = group.create_array(name, shape=(rows, *shape), dtype=dtype, chunks=(chunk, *shape))
        start = 0
        for values in column(parts, count, schema, name):
            array[start : start + len(values)] = values.astype(dtype)
            start += len(values)
    return rows


def form_of(parts: Parts, count: int, schema: pa.Schema, name: str) -> tuple[np.dtype[Any], tuple[int, ...]] | None:
    """dtype and shape behind the first axis of one column as an array; None for a column that is null throughout."""
    kind = schema.field(name).type
    if pa.types.is_fixed_size_list(kind):
        return np.dtype(kind.value_type.to_pandas_dtype()), (kind.list_size,)
    if name in ("id", "group"):
        texts = (text for table in parts.tables(count, [name]) for text in table[name].to_pylist() if text is not None)
        longest = max(map(len, texts), default=0)
        return (np.dtype(f"<U{longest}"), ()) if longest else None
    if name == "label":
        nulls = [table["label"].null_count for table in parts.tables(count, ["label"])]
        sizes = [pq.read_metadata(parts.path(number)).num_rows for number in range(count)]
        if nulls == sizes:
            return None
        return np.dtype(np.float64 if any(nulls) or kind == pa.float64() else np.int64), ()
    return np.dtype(kind.to_pandas_dtype()), ()


def column(parts: Parts, count: int, schema: pa.Schema, name: str) -> Iterator[np.ndarray]:
    """One column, part by part, as arrays."""
    kind = schema.field(name).type
    for table in parts.tables(count, [name]):
        values = table[name].combine_chunks()
        if pa.types.is_fixed_size_list(kind):
            yield values.flatten().to_numpy().reshape(len(values), kind.list_size)
        elif pa.types.is_string(kind):
            yield np.array(["" if text is None else text for text in values.to_pylist()])
        else:
            yield np.asarray(values.to_numpy(zero_copy_only=False))
