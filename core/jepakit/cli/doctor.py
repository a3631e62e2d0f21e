"""`jepakit doctor`: what this machine has. It reports, and never fails on what it finds."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import click

from jepakit.cli.policy import Policy
from jepakit.errors import JepakitError
from jepakit.plugin_host.loader import Host, load

NATIVE = ("torchaudio", "open3d", "av", "soundfile")
"""Optional packages with libraries of their own: loading one can end the interpreter, so another process tries."""
LOAD_SECONDS = 60


@dataclass(frozen=True)
class Finding:
    """One line. ok: None for a plain fact."""

    name: str
    ok: bool | None
    text: str


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def doctor(policy: Policy, as_json: bool) -> None:
    """Versions, threads, number formats, optional packages, plugins and data folders of this machine."""
    found = list(findings(policy.host()))
    if as_json:
        click.echo(json.dumps({"checks": [asdict(finding) for finding in found]}))
        return
    width = max(len(finding.name) for finding in found)
    for finding in found:
        mark = {None: "    ", True: "ok  ", False: "look"}[finding.ok]
        click.echo(f"{mark}  {finding.name:{width}}  {finding.text}")


def findings(host: Host) -> Iterator[Finding]:
    """Everything there is to say, fastest first."""
    yield Finding("python", None, f"{platform.python_version()} on {platform.platform()}, {os.cpu_count()} CPUs")
    yield from _torch()
    yield from (_native(name) for name in NATIVE if importlib.util.find_spec(name) is not None)
    yield _data_folder()
    for status in host.plugins:
        text = status.reason and f"{status.state}: {status.reason}; {status.remedy}"
        off = status.state not in ("ok", "disabled")
        yield Finding(f"plugin {status.distribution} ({status.entry_point})", not off, text or f"{status.version}")
    for status in host.plugins:
        if status.state == "ok":
            for check in status.checks:
                yield _plugin_check(f"{status.distribution} {status.version}", check.name, check.target)


def _torch() -> Iterator[Finding]:
    try:
        import torch
    except (ImportError, OSError) as error:
        yield Finding("torch", False, f"can't be imported: {error}; reinstall it: pip install --force-reinstall torch")
        return
    yield Finding("torch", True, f"{torch.__version__}, {torch.get_num_threads()} threads")
    cuda = torch.cuda.is_available()
    yield Finding("accelerator", None, torch.cuda.get_device_name(0) if cuda else "none, runs use the CPU")
    from jepakit.precision import resolve

    chosen = resolve("auto", torch.device("cuda" if cuda else "cpu"))
    fast = "in hardware" if chosen != "float32" else "not in hardware"
    yield Finding("bfloat16", None, f"{fast}; train.precision=auto means {chosen} here")


def _native(name: str) -> Finding:
    """Loads an optional package in another process."""
    version = _version(name)
    try:
        done = subprocess.run([sys.executable, "-c", f"import {name}"], capture_output=True, text=True, timeout=LOAD_SECONDS, check=False)
    except (subprocess.TimeoutExpired, OSError) as error:
        return Finding(name, False, f"{version}: can't be loaded: {type(error).__name__}")
    if done.returncode == 0:
        return Finding(name, True, f"{version}, loads")
    said = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
    return Finding(name, False, f"{version}: can't be loaded: {said}")


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "unknown version"


def _data_folder() -> Finding:
    path = os.environ.get("JEPAKIT_DATA")
    if path is None:
        return Finding("JEPAKIT_DATA", None, "not set; tests on real data are skipped")
    return Finding("JEPAKIT_DATA", os.path.isdir(path), path if os.path.isdir(path) else f"{path} is not a folder")


def _plugin_check(plugin: str, name: str, target: str) -> Finding:
    try:
        ok, text = load(target)()
    except JepakitError as error:
        return Finding(name, False, str(error))
    except (Exception, SystemExit) as error:  # a plugin's own code: report it and go on with the other checks
        return Finding(name, False, f"the check itself fails, {plugin}: {type(error).__name__}: {error}; tell its authors")
    return Finding(name, bool(ok), str(text))
