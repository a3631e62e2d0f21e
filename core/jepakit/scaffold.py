"""`plugins new`: a complete plugin package from the template in `template/`, written in one go or not at all.

The template is laid out for copier, so that an author can ask it again later; rendering it needs only jinja2
(docs/decisions/0006-plugin-template.md).
"""

from __future__ import annotations

import keyword
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jepakit
from jepakit.errors import UsageError, unknown_name
from jepakit.plugin_host.catalogue import read_catalogue
from jepakit.plugin_host.host import Host
from jepakit.plugin_host.names import passes_for
from jepakit.plugin_host.status import BUILT_IN, normalise

TEMPLATE = Path(jepakit.__file__).parent / "template"
PREFIX = "jepakit-"
SUFFIX = ".jinja"


@dataclass(frozen=True)
class Answers:
    """What the template asks. name: of the distribution. modality: the shape of a sample. short: what recipes and components are called."""

    name: str
    modality: str

    @property
    def short(self) -> str:
        """jepakit-tide-gauge → tide-gauge."""
        return self.name.removeprefix(PREFIX)

    @property
    def module(self) -> str:
        """jepakit-tide-gauge → jepakit_tide_gauge."""
        return self.name.replace("-", "_")

    def values(self) -> dict[str, str]:
        """The variables of the template, as copier would have them."""
        camel = "".join(part.capitalize() for part in self.short.split("-"))
        return {"name": self.name, "modality": self.modality, "short": self.short, "module": self.module, "camel": camel}


def kinds() -> list[str]:
    """The shapes of data that the template knows."""
    return sorted(path.name for path in (TEMPLATE / "kinds").iterdir() if path.is_dir())


def create(name: str, modality: str, parent: Path, host: Host) -> Path:
    """Write the package into `parent`/`name` and return that folder.

    Raises:
        UsageError: the name can't be used (and why), there is no such kind of data, or something is in the way. Nothing is written then.
    """
    if modality not in kinds():
        raise UsageError(unknown_name("kind of data", modality, kinds()))
    check_name(name, host)
    folder = parent / name
    if folder.exists() or folder.is_symlink():
        raise UsageError(f"{folder} is there already and is not touched; give another name, or another place with --out")
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=parent, prefix=f".{name}-") as scratch:
            made = Path(scratch) / name
            for path, content in render(Answers(name, modality)):
                (made / path).parent.mkdir(parents=True, exist_ok=True)
                (made / path).write_bytes(content)
            shutil.move(made, folder)
    except OSError as error:
        raise UsageError(f"{folder} can't be written: {error.strerror}; choose another place with --out") from error
    return folder


def check_name(name: str, host: Host) -> None:
    """UsageError when a package of that name could not be installed beside all the others, or not be told from one of them."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name, re.ASCII) or len(name) > 50:
        raise UsageError(f"{ascii(name)[:60]} can't be the name of a package; expected lower-case letters, digits and single dashes")
    short, module = name.removeprefix(PREFIX), name.replace("-", "_")
    if keyword.iskeyword(module) or module in sys.stdlib_module_names or module == BUILT_IN:
        raise UsageError(f"'{name}' is the name of a module of Python or of jepakit; add a word, such as {PREFIX}{short}-data")
    known = {entry.distribution for entry in read_catalogue()} | {status.distribution for status in host.plugins}
    if normalise(name) in {normalise(other) for other in known}:
        raise UsageError(f"'{name}' is the name of a known plugin; choose another (`jepakit plugins info {name}`)")
    if other := passes_for(name, known):
        raise UsageError(f"'{name}' could be taken for the known plugin {other}; choose a name that nobody mistakes")
    taken = {spec.name for spec in host.components("modality")} | {spec.name for spec in host.recipes()}
    if short in taken:
        raise UsageError(
            f"'{short}' is a modality or recipe of an installed plugin already; choose a longer name, such as {PREFIX}{short}-data"
        )


def render(answers: Answers) -> Iterator[tuple[Path, bytes]]:
    """Every file of the package: its place in it, and its content."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(loader=FileSystemLoader(TEMPLATE), undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)
    values = answers.values()
    root = TEMPLATE / "package"
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        place = path.relative_to(root).as_posix()
        written = Path(environment.from_string(place.removesuffix(SUFFIX)).render(values))
        text = environment.get_template(path.relative_to(TEMPLATE).as_posix()).render(values) if place.endswith(SUFFIX) else None
        yield written, path.read_bytes() if text is None else text.encode()
