"""`jepakit export`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from jepakit.cli.policy import Policy

FORMATS = ("safetensors", "torch-export", "onnx", "huggingface")


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(FORMATS), default="huggingface", show_default=True, help="What to write.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A folder that does not exist yet.")
@click.option("--data", help="Samples to compare on; a graph takes its input size from them.  [default: what RUN was trained on]")
@click.option("--pooling", default="auto", help="Tokens to one vector.  [default: what `eval` chose, else mean]")
@click.option("--checkpoint", default="latest", show_default=True, help="latest, best, or a step.")
@click.option("--plugin", "files", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A one-file plugin.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def export(
    policy: Policy,
    run: Path,
    form: str,
    out: Path,
    data: str | None,
    pooling: str,
    checkpoint: str,
    files: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Write the encoder of RUN for other programs, with a model card; what was written is run and compared with the original first."""
    from jepakit.embed.encoder import LoadedEncoder
    from jepakit.export.job import export as write

    encoder = LoadedEncoder(run, pooling=pooling, device="cpu", checkpoint=checkpoint, plugins=policy.host(files))
    found = write(encoder, form, out, data)
    click.echo(json.dumps(found.to_json()) if as_json else "\n".join(found.lines()))
