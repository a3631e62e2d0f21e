"""Which plugins a run was made with, byte for byte, and what became of them since. Facts only: a run or a checkpoint never holds code."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from jepakit.errors import PluginError
from jepakit.plugin_host.content import content_now, is_editable
from jepakit.plugin_host.status import BUILT_IN, PluginStatus, normalise

CODE = frozenset((".py", ".so", ".pyd", ".yaml", ".yml", ".json", ".toml"))
"""Suffixes of what decides how a plugin behaves."""
FILE = "file"
"""The version of a one-file plugin."""


def provenance(distribution: str, plugins: Sequence[PluginStatus]) -> dict[str, str]:
    """Distribution, version and content hash of one plugin that is in use; the hash is what `plugins freeze` says of an installed one."""
    own = [status for status in plugins if status.state == "ok" and normalise(status.distribution) == normalise(distribution)]
    return {"distribution": own[0].distribution, "version": own[0].version, "hash": _installed_hash(own[0]) or content_hash(own)}


def content_hash(own: Iterable[PluginStatus]) -> str:
    """sha256 over path and bytes of all code files of a plugin in a folder or a single file, as they lie on disk now; imports nothing."""
    digest = hashlib.sha256()
    for top in sorted({module.partition(".")[0] for status in own for module in status.modules()}):
        for name, path in _code_files(top):
            digest.update(f"{name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return "sha256:" + digest.hexdigest()


def missing(then: Sequence[Mapping[str, str]], plugins: Sequence[PluginStatus]) -> PluginError | None:
    """The error that says how to get back the plugins that a run was made with and that are of no use now; None when all are there."""
    usable = {normalise(status.distribution) for status in plugins if status.state == "ok"}
    gone = [one for one in then if normalise(one["distribution"]) not in usable]
    return PluginError("; ".join(_gone(one, plugins) for one in gone)) if gone else None


def drift(then: Sequence[Mapping[str, str]], now: Sequence[Mapping[str, str]]) -> list[str]:
    """One sentence for each plugin that is not the one a run was made with: another version, or other content of the same version."""
    present = {normalise(one["distribution"]): one for one in now}
    pairs = [(one, present[name]) for one in then if (name := normalise(one["distribution"])) in present]
    return [_differs(old, new) for old, new in pairs if (old["version"], old["hash"]) != (new["version"], new["hash"])]


def _installed_hash(status: PluginStatus) -> str:
    """Empty for what pip did not install, installed from a folder that changes, or from a wheel that names code without its digest."""
    try:
        found = importlib.metadata.distribution(status.distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""
    bare = any(file.hash is None and file.suffix in CODE for file in found.files or ())
    return "" if status.version == FILE or is_editable(found) or not found.files or bare else content_now(found)


def _gone(one: Mapping[str, str], plugins: Sequence[PluginStatus]) -> str:
    name, version = one["distribution"], one["version"]
    said = f"this run was made with {name} {version}"
    if version == FILE:
        return f"{said.removesuffix(' ' + FILE)}, a one-file plugin: give it again by --plugin {name}.py"
    found = next((status for status in plugins if normalise(status.distribution) == normalise(name)), None)
    if found is None:
        return f"{said}, which is not installed: pip install {name}=={version}"
    return f"{said}, which can't be used ({found.state}: {found.reason}); {found.remedy}; or pip install {name}=={version}"


def _differs(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    name, version = old["distribution"], old["version"]
    if version != new["version"]:
        return f"this run was made with {name} {version}, and {new['version']} is installed; pip install {name}=={version} brings it back"
    if version == FILE:
        return f"the one-file plugin {name} changed since this run was made with it; give the old file by --plugin to go on as before"
    again = "check out the code of that time" if normalise(name) == BUILT_IN else f"pip install --force-reinstall {name}=={version}"
    return f"the code of {name} {version} changed since this run was made with it, under the same version; {again} to go on as before"


def _code_files(top: str) -> Iterator[tuple[str, Path]]:
    """(path inside the package, file) of one top-level package or module, in order."""
    spec = importlib.util.find_spec(top)
    for folder in sorted(spec.submodule_search_locations or ()) if spec else ():
        files = (path for path in Path(folder).rglob("*") if path.suffix in CODE and path.is_file())
        yield from sorted((path.relative_to(folder).as_posix(), path) for path in files)
    if spec and not spec.submodule_search_locations and spec.origin and Path(spec.origin).is_file():
        yield Path(spec.origin).name, Path(spec.origin)
