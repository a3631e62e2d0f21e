"""`jepakit plugins search` and `jepakit plugins info`: the catalogue of known plugins, beside what is installed."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from jepakit.cli.policy import Policy
from jepakit.cli.table import print_table
from jepakit.errors import UsageError
from jepakit.plugin_host.catalogue import find_entry, read_catalogue
from jepakit.plugin_host.catalogue import search as search_catalogue
from jepakit.plugin_host.loader import PluginStatus
from jepakit.plugin_host.names import plain
from jepakit.plugin_host.status import normalise

if TYPE_CHECKING:
    from jepakit.plugin_host.catalogue_schema import CatalogueEntry


@click.command()
@click.argument("text", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def search(policy: Policy, text: tuple[str, ...], as_json: bool) -> None:
    """Known plugins with all words of TEXT in name, summary, components, recipes or paper; all of them without TEXT."""
    here = _installed(policy)
    found = search_catalogue(" ".join(text), read_catalogue())
    if as_json:
        click.echo(json.dumps({"plugins": [_record(entry, here) for entry in found]}))
    elif not found:
        click.echo(f"no known plugin has {' '.join(text)!r}; `jepakit plugins search` lists all" if text else "the catalogue is empty")
    else:
        print_table(
            ("PLUGIN", "MODALITY", "INSTALLED", "WHAT IT IS"),
            [(entry.distribution, entry.modality, _state(entry, here), entry.summary) for entry in found],
        )


@click.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def info(policy: Policy, name: str, as_json: bool) -> None:
    """All that the catalogue and this installation know about the plugin NAME, `jepakit-foo` or just `foo`."""
    here = _installed(policy)
    try:
        record = _record(find_entry(name, read_catalogue()), here)
    except UsageError:
        statuses = [status for status in policy.host().plugins if normalise(status.distribution) == normalise(name)]
        if not statuses:
            raise
        record = _record_of_installed(statuses)
    if as_json:
        click.echo(json.dumps(record))
        return
    lines = [(key, _shown(value)) for key, value in record.items() if value not in ("", [], {}, None)]
    width = max(len(key) for key, _ in lines)
    for key, value in lines:
        click.echo(f"{key:{width}}  {value}")
    if record["installed"] is None and record["status"] != "withdrawn":
        click.echo(f"\njepakit plugins install {record['distribution']}")


def _installed(policy: Policy) -> dict[str, PluginStatus]:
    return {normalise(status.distribution): status for status in policy.host().plugins}


def _state(entry: CatalogueEntry, here: dict[str, PluginStatus]) -> str:
    status = here.get(normalise(entry.distribution))
    if status is None:
        return "no" if entry.status in ("stable", "experimental") else f"no, {entry.status}"
    return status.version if status.state == "ok" else f"{status.version}, {status.state}"


def _record(entry: CatalogueEntry, here: dict[str, PluginStatus]) -> dict[str, Any]:
    status = here.get(normalise(entry.distribution))
    return {**entry.model_dump(mode="json"), "installed": status and status.version, "state": status and status.state}


def _record_of_installed(statuses: Sequence[PluginStatus]) -> dict[str, Any]:
    """What an installed plugin that the catalogue does not know says about itself; it may have several entry points."""
    first = statuses[0]
    said = _metadata(first.distribution)
    components: dict[str, list[str]] = {}
    for spec in (spec for status in statuses for spec in status.components):
        components.setdefault(spec.role, []).append(spec.name)
    recipes = [spec for status in statuses for spec in status.recipes]
    return {
        "distribution": first.distribution,
        "summary": said.get("Summary", ""),
        "components": components,
        "recipes": [spec.name for spec in recipes],
        "paper": sorted({spec.paper for spec in recipes if spec.paper}),
        "licence": said.get("License-Expression") or said.get("License", ""),
        "status": "not in the catalogue",
        "installed": first.version,
        "state": ", ".join(sorted({f"{status.state}: {status.reason}" if status.reason else status.state for status in statuses})),
    }


def _metadata(distribution: str) -> dict[str, str]:
    try:
        said = importlib.metadata.metadata(distribution)
    except importlib.metadata.PackageNotFoundError:  # a one-file plugin
        return {}
    return {key: plain(said[key]) for key in ("Summary", "License-Expression", "License") if key in said}


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key} {_shown(item)}" for key, item in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
