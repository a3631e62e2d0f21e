"""`jepakit embed`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jepakit.cli.policy import Policy
from jepakit.cli.screen import open_screen

if TYPE_CHECKING:
    from jepakit.contracts import Reader
    from jepakit.embed.encoder import LoadedEncoder

PRECISIONS = ("float32", "auto", "bf16", "bf16-weights")


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--data", required=True, help="A path, bundled:NAME, or synthetic.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="F.parquet, F.npz or F.zarr.")
@click.option("--split", type=click.Choice(["train", "test", "all"]), default="all", show_default=True, help="Of sets that have several.")
@click.option("--level", type=click.Choice(["sample", "token"]), default="sample", show_default=True, help="One row a sample, or a token.")
@click.option("--pooling", default="auto", help="Tokens to one vector.  [default: what `eval` chose, else mean]")
@click.option("--batch", type=click.IntRange(min=1), default=256, show_default=True, help="Samples at once.")
@click.option("--checkpoint", default="latest", show_default=True, help="latest, best, or a step.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1.")
@click.option(
    "--precision", type=click.Choice(PRECISIONS), default="float32", show_default=True, help="Number format; auto is the fastest."
)
@click.option("--plugin", "files", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A one-file plugin.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.pass_obj
def embed(
    policy: Policy,
    run: Path,
    data: str,
    out: Path,
    split: str,
    level: Any,
    pooling: str,
    batch: int,
    checkpoint: str,
    device: str,
    precision: Any,
    files: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Write the embeddings of DATA by the encoder of RUN to a file, with ids, labels and groups, in the order of the data.

    Stopped in the middle it goes on where it was when the same command is given again.
    """
    from jepakit.embed.encoder import LoadedEncoder
    from jepakit.embed.formats import check_suffix
    from jepakit.embed.job import embed_to_file

    check_suffix(out)
    encoder = LoadedEncoder(
        run,
        pooling=pooling,
        level=level,
        device=device,
        precision=precision,
        batch=batch,
        checkpoint=checkpoint,
        plugins=policy.host(files),
    )
    with open_screen(as_json) as emit:
        done = embed_to_file(encoder, open_split(encoder, data, split), out, emit)
        emit({"event": "embedded", "lines": done.lines(), **asdict(done)})


def open_split(encoder: LoadedEncoder, data: str, split: str) -> Reader:
    """The samples to embed; a made-up set has no whole, so its training part stands for it."""
    if data == "synthetic" and split == "all":
        split = "train"
    return encoder.open(data, split)
