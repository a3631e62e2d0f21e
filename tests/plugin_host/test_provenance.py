"""A run knows which plugins it was made with, byte for byte, and a listener that fails never costs it."""

from __future__ import annotations

from pathlib import Path

from jepakit.plugin_host.loader import discover
from jepakit.plugin_host.provenance import content_hash, drift, missing, provenance

THEN = {"distribution": "zoo-owl", "version": "1.0", "hash": "a"}
LISTENS = """
from jepakit.sdk import hookimpl
API = 1
heard = []
@hookimpl
def before_run(config): config["seen"] = heard.append(dict(config))
@hookimpl
def after_run(run): raise SystemExit(run)
"""


def test_hash_follows_the_code_and_not_the_version(install, tmp_path: Path) -> None:
    install("zoo-owl")
    before = provenance("zoo-owl", discover().plugins)
    assert provenance("Zoo_Owl", discover().plugins) == before
    (tmp_path / "zoo_owl.py").write_text((tmp_path / "zoo_owl.py").read_text() + "# changed\n")
    after = provenance("zoo-owl", discover().plugins)
    assert after["hash"] != before["hash"]
    assert (after["distribution"], after["version"]) == ("zoo-owl", "1.0")


def test_hash_of_a_package_counts_names_and_bytes(tmp_path: Path, monkeypatch) -> None:
    from jepakit.plugin_host.status import PluginStatus

    package = tmp_path / "zoo_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "notes.txt").write_text("not code")
    monkeypatch.syspath_prepend(tmp_path)
    status = PluginStatus("zoo-package", "1", "main", "ok", module="zoo_package")
    seen = [content_hash([status])]
    (package / "notes.txt").write_text("still not code")
    assert content_hash([status]) == seen[0]
    for name in ("a.py", "b.py"):
        (package / name).write_text("x = 1")
        seen.append(content_hash([status]))
    assert len(set(seen)) == 3


def test_drift_says_how_to_get_the_old_one_back() -> None:
    assert drift([THEN], [THEN]) == []
    (version,) = drift([THEN], [THEN | {"version": "1.1"}])
    assert "made with zoo-owl 1.0, and 1.1 is installed; pip install zoo-owl==1.0" in version
    (content,) = drift([THEN], [THEN | {"hash": "b"}])
    assert "pip install --force-reinstall zoo-owl==1.0" in content
    (one_file,) = drift([THEN | {"version": "file"}], [THEN | {"version": "file", "hash": "b"}])
    assert "--plugin" in one_file


def test_plugin_that_is_gone_comes_with_the_pip_line(install) -> None:
    assert "not installed: pip install zoo-owl==1.0" in str(missing([THEN], discover().plugins))
    install("zoo-owl")
    assert missing([THEN], discover().plugins) is None
    assert "--no-plugins" in str(missing([THEN], discover(disabled=frozenset({"zoo-owl"})).plugins))
    assert "--plugin lone.py" in str(missing([{"distribution": "lone", "version": "file", "hash": "x"}], discover().plugins))


def test_listener_hears_what_it_asks_for_and_fails_alone(install) -> None:
    import sys

    install("zoo-ear", LISTENS)
    host, warned = discover(), list[str]()
    config = {"width": 3}
    host.tell("before_run", {"run": "r", "config": config}, warned.append)
    assert sys.modules["zoo_ear"].heard == [{"width": 3}]
    assert config == {"width": 3}, "a listener may not change the config of the run"
    for _ in range(2):
        host.tell("after_run", {"run": "r", "status": "finished"}, warned.append)
    (sentence,) = warned
    assert "zoo-ear 1.0 failed in after_run: SystemExit: r" in sentence
