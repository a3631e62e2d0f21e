"""The catalogue of known plugins, registry.yaml: which distribution would bring that? Data; nothing in it is imported or run.

```yaml
version: 1
plugins:
  - name: example
    distribution: jepakit-example
    summary: one line of plain words
    modality: example
    components: {modality: [example], tokenizer: [example-patch]}
    recipes: [example]
    paper: [arXiv 2301.08243]
    licence: Apache-2.0
    api: 1
    status: experimental
    hashes: {}
```

`catalogue_schema` says what each field may hold. It needs pydantic and is imported only when the file is read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from difflib import SequenceMatcher, get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import jepakit
from jepakit.errors import ConfigError, UsageError, nearest
from jepakit.plugin_host.status import normalise
from jepakit.strict_yaml import LARGEST, parse_mapping

if TYPE_CHECKING:
    from pydantic import ValidationError

    from jepakit.plugin_host.catalogue_schema import CatalogueEntry

SIMILAR = 0.75
"""Of `difflib`: how alike a word of a search and a word of an entry must be; "heartbeet" finds "heartbeat", "beat" does not find "bead"."""
SHOWN = 60
"""Characters of a refused value that an error shows."""


def read_catalogue(path: Path | None = None) -> tuple[CatalogueEntry, ...]:
    """All entries of registry.yaml; none when the file is not there. ConfigError naming the entry that is off: no entry of a file
    with one bad entry is believed."""
    path = path or _shipped()
    if path is None or not path.is_file():
        return ()
    return parse_catalogue(_text(path), path.name)


def parse_catalogue(text: str, origin: str) -> tuple[CatalogueEntry, ...]:
    """The entries that `text` holds; ConfigError as above."""
    from pydantic import ValidationError

    from jepakit.plugin_host.catalogue_schema import Catalogue

    raw = parse_mapping(text, origin)
    try:
        return Catalogue.model_validate(raw).plugins
    except ValidationError as error:
        raise ConfigError(f"{origin}: {_first(error)}") from error


def provider(kind: str, name: str, entries: Sequence[CatalogueEntry] | None = None) -> CatalogueEntry | None:
    """The known plugin that has a component or recipe of that name, short or in full ("distribution/name"); None if there is none."""
    owner, _, short = name.rpartition("/")
    for entry in read_catalogue() if entries is None else entries:
        if (kind, short) in entry.claims() and normalise(owner) in ("", normalise(entry.distribution)):
            return entry
    return None


def near_hint(kind: str, name: str, entries: Sequence[CatalogueEntry] | None = None, *, here: Collection[str] = ()) -> str:
    """` jepakit-x would bring 'mel-patch': pip install jepakit-x`, for a name that is nearly one that a known plugin has.

    here: names that are installed; nobody has to be told how to install them.
    """
    known = read_catalogue() if entries is None else entries
    brought = {claim: entry for entry in known for what, claim in entry.claims() if what == kind and claim not in here}
    close = get_close_matches(name.rpartition("/")[2], brought, n=1, cutoff=SIMILAR)
    return "".join(f" {brought[found].distribution} would bring '{found}': pip install {brought[found].distribution}" for found in close)


def find_entry(name: str, entries: Sequence[CatalogueEntry]) -> CatalogueEntry:
    """The entry of a short name or of a distribution. UsageError naming the nearest one."""
    for entry in entries:
        if name == entry.name or normalise(name) == normalise(entry.distribution):
            return entry
    known = [entry.distribution for entry in entries]
    raise UsageError(f"the catalogue has no plugin named '{name}'.{nearest(name, known)} `jepakit plugins search` lists all")


def search(text: str, entries: Sequence[CatalogueEntry]) -> list[CatalogueEntry]:
    """Entries with every word of `text` in them, best first; a word is found in part of another, or in one spelled nearly so."""
    words = text.lower().split()
    scored = [(sum(_found(word, entry) for word in words), entry) for entry in entries if all(_found(word, entry) for word in words)]
    return [entry for _, entry in sorted(scored, key=lambda pair: (-pair[0], pair[1].name))]


def _found(word: str, entry: CatalogueEntry) -> float:
    """How well: 3 as a name, 2 inside the words, up to 1 nearly, 0 not at all."""
    if word in (entry.name, entry.distribution, entry.modality):
        return 3.0
    there = list(_searched(entry))
    if any(word in other for other in there):
        return 2.0
    best = max(SequenceMatcher(None, word, other).ratio() for other in there)
    return best if best >= SIMILAR else 0.0


def _searched(entry: CatalogueEntry) -> Iterator[str]:
    yield from (entry.name, entry.distribution.lower(), entry.modality)
    yield from (name for _, name in entry.claims())
    yield from (word.strip(".,:;()'") for word in entry.summary.lower().split())
    yield from (paper.lower() for paper in entry.paper)


def _shipped() -> Path | None:
    """In a wheel the file lies inside the package; in a checkout beside `core/`."""
    package = Path(jepakit.__file__).parent
    return next((path for path in (package / "registry.yaml", package.parents[1] / "registry.yaml") if path.is_file()), None)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST:
            raise ConfigError(f"{path.name} has {path.stat().st_size:,} bytes; at most {LARGEST:,} are read. Is it the right file?")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise ConfigError(f"{path.name} can't be read: {reason}") from error


def _first(error: ValidationError) -> str:
    """One sentence for the first thing that is off; whatever stands there is shown escaped and cut."""
    found = error.errors(include_url=False)
    item = found[0]
    where = ".".join(_short(str(part)) for part in item["loc"] if part != "[key]")
    if item["type"] == "extra_forbidden":
        said = "no such field"
    elif item["type"] == "missing":
        said = "missing"
    else:
        said = f"{item['msg'].removeprefix('Value error, ').replace('Input should be', 'expected')}, got {_short(ascii(item['input']))}"
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return f"{where}: {said}{more}" if where else f"{said}{more}"


def _short(text: str) -> str:
    text = text if text.isascii() and text.isprintable() else ascii(text)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
