"""Installing: what is inspected is what is installed, and nothing but names and digests reaches pip."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from wheels import make_wheel

from jepakit.cli.main import main
from jepakit.errors import JepakitError, PluginError, UsageError
from jepakit.plugin_host.catalogue_schema import CatalogueEntry
from jepakit.plugin_host.content import content_digest
from jepakit.plugin_host.freeze import read_frozen
from jepakit.plugin_host.install import Demands, admit, prepare, wanted_names, write_lock
from jepakit.plugin_host.names import Pinned, edits, passes_for, pinned
from jepakit.plugin_host.pip import Source, download_command, install_command, resolve_command, run
from jepakit.plugin_host.wheel import Wheel, inspect

sys.path.pop(0)


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A folder of wheels: a plugin that needs another distribution."""
    folder = tmp_path / "shelf"
    make_wheel(folder, "zoo-aviary", requires=("jepakit", "zoo-feathers>=1"))
    make_wheel(folder, "zoo-feathers", plugin=False)
    return folder


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("typed", ["jepakit-foo", "Jepakit_Foo", "jepakit.foo==1.0", "a", "jepakit-foo==1!2.0rc1"])
def test_names_and_versions_are_taken_in_their_normal_form(typed: str) -> None:
    pin = pinned(typed)
    assert pin == pinned(str(pin))
    assert str(pin).partition("==")[0] == pin.distribution


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "-r",
        "--index-url=x",
        "a b",
        "a;b",
        "a[b]",
        "a @ file:///x",
        "a>=1",
        "a==1 ; x",
        "a==",
        "a==1==2",
        "a\n",
        "\u0430bc",
        "a" * 200,
        "./a",
        "a==x",
    ],
)
def test_anything_else_is_refused(typed: str) -> None:
    with pytest.raises(UsageError) as refused:
        pinned(typed)
    assert str(refused.value).isascii()
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "bad", [("Foo", ""), ("-r", ""), ("a b", ""), ("a", "1 ; x"), ("a", "--pre"), ("a--b", ""), ("a\n", ""), ("a", "1\n")]
)
def test_pin_can_not_be_made_of_anything_else(bad: tuple[str, str]) -> None:
    with pytest.raises(UsageError):
        Pinned(*bad)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("jepakit-aviary", None), ("jepakit_Aviary", None), ("jepakit-avairy", "jepakit-aviary"), ("jepakitaviary", "jepakit-aviary"),
        ("jepakit-aviarry", "jepakit-aviary"), ("jepakit-av1ary", "jepakit-aviary"), ("jepak1t-aviary", "jepakit-aviary"),
        ("jepakit-tides", None), ("jepkit", "jepakit"), ("jepakits", "jepakit"),
    ],
)  # fmt: skip
def test_name_that_passes_for_another_is_seen(name: str, other: str | None) -> None:
    assert passes_for(name, ["jepakit-aviary", "jepakit"]) == other


def test_edits_count_swaps_as_one() -> None:
    assert [edits("abcd", other) for other in ("abcd", "abdc", "abc", "xbcd", "abcdef", "")] == [0, 1, 1, 1, 2, 4]


def test_commands_are_the_template_and_the_pins(tmp_path: Path) -> None:
    pins = [pinned("jepakit-foo"), pinned("b==1.0")]
    for build in (lambda what: resolve_command(what, Source(), tmp_path / "c"), lambda what: download_command(what, Source(), tmp_path)):
        assert build(pins) == [*build([]), "jepakit-foo", "b==1.0"]
        assert build([])[-1] == "--"
    assert install_command(tmp_path / "lock.txt")[-2:] == ["--requirement", str(tmp_path / "lock.txt")]


def test_plugin_and_what_it_needs_are_prepared(shelf: Path, work: Path) -> None:
    steps = prepare([pinned("zoo-aviary")], work, (), Demands(Source(shelf)))
    assert [(step.wheel.distribution, step.asked, step.here) for step in steps] == [("zoo-aviary", True, ""), ("zoo-feathers", False, "")]
    assert "--no-deps" in write_lock(steps, work)
    assert [line.split()[0] for line in (work / "lock.txt").read_text().splitlines()] == [f"./{step.wheel.path.name}" for step in steps]


def test_file_that_changes_after_inspection_is_refused_by_pip(shelf: Path, work: Path, tmp_path: Path) -> None:
    steps = prepare([pinned("zoo-aviary")], work, (), Demands(Source(shelf)))
    make_wheel(work, "zoo-feathers", plugin=False, files={"zoo_more.py": "x = 2\n"})
    with pytest.raises(PluginError, match="THESE PACKAGES DO NOT MATCH THE HASHES"):
        run([*write_lock(steps, work), "--target", str(tmp_path / "site")], work)
    assert not (tmp_path / "site").exists()


def bad_wheel(folder: Path, case: str) -> Path:
    if case == "pth":
        return make_wheel(folder, "zoo-bad", files={"zoo_bad.pth": "import os"})
    if case == "hidden pth":
        return make_wheel(folder, "zoo-bad", files={"zoo_bad-1.0.data/purelib/x.PTH": "import os"})
    if case == "sitecustomize":
        return make_wheel(folder, "zoo-bad", files={"sitecustomize.py": ""})
    if case == "escapes":
        return make_wheel(folder, "zoo-bad", files={"../../evil.py": ""})
    if case == "lies":
        return make_wheel(folder, "zoo-bad", says="zoo-good")
    if case == "overwrites":
        return make_wheel(folder, "zoo-bad", files={"numpy/__init__.py": ""})
    if case == "no plugin":
        return make_wheel(folder, "zoo-bad", plugin=False)
    path = make_wheel(folder, "zoo-bad")
    path.write_bytes(path.read_bytes()[:200])
    return path


@pytest.mark.parametrize(
    ("case", "sentence"),
    [
        ("pth", r"'zoo_bad\.pth': Python runs such a file whenever it starts"),
        ("hidden pth", r"x\.PTH': Python runs"),
        ("sitecustomize", r"'sitecustomize\.py': Python runs"),
        ("escapes", "leads out of its folder"),
        ("lies", r"says inside that it is zoo-good 1\.0"),
        ("overwrites", r"would overwrite 'numpy/__init__\.py' of numpy"),
        ("no plugin", "no entry point of the group 'jepakit'"),
        ("cut", "not a wheel that can be read"),
    ],
)
def test_wheel_that_would_do_more_than_add_a_plugin_is_refused(case: str, sentence: str, tmp_path: Path, work: Path) -> None:
    path = bad_wheel(tmp_path / "shelf", case)
    with pytest.raises(PluginError, match=sentence):
        prepare([path], work, (), Demands(Source(path.parent)))


def test_pth_in_something_that_a_plugin_needs_is_refused(shelf: Path, work: Path) -> None:
    make_wheel(shelf, "zoo-feathers", plugin=False, files={"feathers.pth": "import os"})
    with pytest.raises(PluginError, match=r"zoo_feathers.*feathers\.pth"):
        prepare([pinned("zoo-aviary")], work, (), Demands(Source(shelf)))


def test_what_is_installed_keeps_its_version(tmp_path: Path, work: Path) -> None:
    make_wheel(tmp_path / "shelf", "zoo-aviary", requires=("numpy<1.0",))
    make_wheel(tmp_path / "shelf", "numpy", "0.9", plugin=False)
    with pytest.raises(PluginError, match="pip refuses"):
        prepare([pinned("zoo-aviary")], work, (), Demands(Source(tmp_path / "shelf")))


def known_to(shelf: Path, digest: str) -> tuple[Wheel, tuple[CatalogueEntry, ...]]:
    """The aviary's wheel, and a catalogue that knows this digest of it."""
    wheel = inspect(shelf / "zoo_aviary-1.0-py3-none-any.whl")
    entry = CatalogueEntry(
        name="aviary",
        distribution="Zoo_Aviary",
        summary="birds",
        modality="birds",
        licence="MIT",
        api=1,
        status="stable",
        hashes={"1.0": (digest,)},
    )
    return wheel, (entry,)


def test_unknown_digest_is_refused_on_demand(shelf: Path) -> None:
    wheel, _ = known_to(shelf, "sha256:" + "0" * 64)
    with pytest.raises(PluginError, match=r"--require-hashes: no digest of zoo-aviary 1\.0 is known"):
        admit(wheel, True, (), Demands(require_hashes=True))
    assert not admit(wheel, True, (), Demands()).known


def test_digest_of_the_catalogue_is_held_against_the_file(shelf: Path) -> None:
    wheel, entries = known_to(shelf, "sha256:" + "0" * 64)
    with pytest.raises(PluginError, match="is not the file that the catalogue knows"):
        admit(wheel, True, entries, Demands())
    wheel, entries = known_to(shelf, wheel.sha256)
    assert admit(wheel, True, entries, Demands(require_hashes=True)).known


def test_content_that_is_not_what_was_frozen_is_refused(shelf: Path) -> None:
    wheel, _ = known_to(shelf, "sha256:" + "0" * 64)
    with pytest.raises(PluginError, match="is not what was frozen"):
        admit(wheel, True, (), Demands(contents={"zoo-aviary": "sha256:" + "0" * 64}))
    assert admit(wheel, True, (), Demands(contents={"zoo-aviary": wheel.content}, require_hashes=True)).known


def test_content_digest_does_not_see_what_pip_adds(tmp_path: Path) -> None:
    path = make_wheel(tmp_path, "zoo-aviary")
    with zipfile.ZipFile(path) as archive:
        record = archive.read("zoo_aviary-1.0.dist-info/RECORD").decode()
    added = "__pycache__/zoo_aviary.cpython-311.pyc,,\n../../bin/zoo,sha256=abc,3\nzoo_aviary-1.0.dist-info/INSTALLER,sha256=abc,4\n"
    assert inspect(path).content == content_digest(record) == content_digest(added + record)
    assert content_digest(record.replace("zoo_aviary.py,sha256=", "zoo_aviary.py,sha256=X")) != content_digest(record)


@pytest.mark.parametrize(
    ("line", "code", "sentence"),
    [
        ("plugins install", 2, "Missing argument"),
        ("plugins install --index-url=http://x zoo", 2, "No such option"),
        ("plugins install nowhere.whl --yes", 2, "there is no file nowhere.whl"),
        ("plugins install jepakit --yes", 2, "jepakit itself is no plugin"),
        ("plugins install jepakitt --yes", 2, "could be taken for jepakit"),
        ("plugins install zoo;ls --yes", 2, "is not the name of a distribution"),
        ("plugins sync nowhere", 2, "nowhere"),
        ("plugins info nobody", 2, "the catalogue has no plugin named 'nobody'"),
        ("plugins serch", 2, "Did you mean 'search'?"),
    ],
)
def test_command_line_that_is_off_ends_in_one_sentence(line: str, code: int, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line.split()) == code
    assert sentence in capsys.readouterr().err


def test_nobody_to_ask_is_an_error(shelf: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    assert main(["plugins", "install", "zoo-aviary", "--from", str(shelf)]) == 2
    assert "say --yes to install" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    [
        "a: 1",
        "version: 2\nplugins: []",
        "version: 1\nplugins: [{distribution: a}]",
        "version: 1\nplugins: [{distribution: -r, version: '1', content: x}]",
        "version: 1\nplugins: [{distribution: a, version: '1', content: 'sha256:xyz'}]",
    ],
)
def test_frozen_file_that_is_off_is_refused(text: str) -> None:
    with pytest.raises(JepakitError):
        read_frozen(text, "plugins.lock")


def test_wanted_path_must_exist(shelf: Path) -> None:
    path = shelf / "zoo_aviary-1.0-py3-none-any.whl"
    assert wanted_names([str(path), "zoo-tides"], ()) == [path.resolve(), pinned("zoo-tides")]


@pytest.fixture
def jepakit_elsewhere(tmp_path: Path):
    """A fresh environment that sees all that is installed here; pip installs into it and not beside us."""
    root = tmp_path / "elsewhere"
    venv.create(root, with_pip=False)
    (site,) = root.glob("lib/python*/site-packages")
    (site / "parent.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n", encoding="utf-8")

    def call(*line: str) -> tuple[int, str]:
        command = [str(root / "bin" / "python"), "-m", "jepakit", "plugins", *line]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=tmp_path, env={**os.environ, "PYTHONWARNINGS": "ignore"}
        )
        return done.returncode, done.stdout + done.stderr

    return call


@pytest.mark.slow
def test_install_freeze_tamper_sync(shelf: Path, jepakit_elsewhere, tmp_path: Path) -> None:
    code, said = jepakit_elsewhere("install", "zoo-aviary", "--from", str(shelf), "--yes", "--json")
    assert code == 0, said
    assert json.loads(said)["installed"]
    assert "zoo-aviary 1.0 (main)" in jepakit_elsewhere("list")[1]
    code, frozen = jepakit_elsewhere("freeze")
    assert "zoo-aviary" in frozen
    assert "zoo-feathers" not in frozen
    (tmp_path / "plugins.lock").write_text(frozen, encoding="utf-8")
    assert jepakit_elsewhere("sync", "plugins.lock") == (0, "all plugins are as plugins.lock says\n")
    # the same version with other content is installed over it, and sync brings the frozen one back
    other = make_wheel(tmp_path / "other", "zoo-aviary", files={"zoo_aviary_more.py": ""})
    code, said = jepakit_elsewhere("install", str(other), "--yes")
    assert code == 0, said
    code, said = jepakit_elsewhere("sync", "plugins.lock", "--from", str(other.parent), "--yes")
    assert code == 3
    assert "is not what was frozen" in said
    code, said = jepakit_elsewhere("sync", "plugins.lock", "--from", str(shelf), "--yes", "--require-hashes")
    assert code == 0, said
    assert jepakit_elsewhere("freeze") == (0, frozen)
