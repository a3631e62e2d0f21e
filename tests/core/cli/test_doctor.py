"""doctor: it reports what is off and never fails on it."""

from __future__ import annotations

import sys
from pathlib import Path

import pluggy
import pytest

from jepakit.cli import doctor
from jepakit.hookspecs import GROUP
from jepakit.plugin_host.loader import Host, PluginStatus
from jepakit.specs import DoctorCheckSpec

HERE = "zoo_doctor_checks"
CHECKS = "def good(): return True, 'fine'\ndef bad(): return False, 'no disk'\ndef broken(): raise ValueError('oh')\n"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    (tmp_path / f"{HERE}.py").write_text(CHECKS, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(doctor, "NATIVE", ("zoo_native",))
    checks = tuple(DoctorCheckSpec(name, f"{HERE}:{name}") for name in ("good", "bad", "broken", "absent"))
    plugins = [
        PluginStatus("zoo", "1.0", "main", "ok", checks=checks),
        PluginStatus("sick", "2.0", "main", "import_error", "it has a cold", "wait"),
        PluginStatus("off", "1.0", "main", "disabled", "switched off", "switch on"),
    ]
    return Host(pluggy.PluginManager(GROUP), plugins)


def test_every_check_is_reported_whatever_it_does(host: Host) -> None:
    found = {finding.name: finding for finding in doctor.findings(host)}
    assert (found["good"].ok, found["good"].text) == (True, "fine")
    assert (found["bad"].ok, found["bad"].text) == (False, "no disk")
    assert not found["broken"].ok
    assert "oh" in found["broken"].text
    assert not found["absent"].ok
    assert not found["plugin sick (main)"].ok
    assert "it has a cold; wait" in found["plugin sick (main)"].text
    assert found["plugin off (main)"].ok
    assert found["torch"].ok
    sys.modules.pop(HERE, None)


@pytest.mark.parametrize(
    ("source", "ok"), [("x = 1", True), ("raise ImportError('libusb is missing')", False), ("import os; os._exit(11)", False)]
)
def test_native_package_is_loaded_in_another_process(
    source: str, ok: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: Host
) -> None:
    (tmp_path / "zoo_native.py").write_text(source, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    finding = next(found for found in doctor.findings(host) if found.name == "zoo_native")
    assert finding.ok == ok
    assert "zoo_native" not in sys.modules


@pytest.mark.parametrize(("value", "ok"), [(None, None), ("nowhere", False), (".", True)])
def test_data_folder(value: str | None, ok: bool | None, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JEPAKIT_DATA", raising=False)
    if value is not None:
        monkeypatch.setenv("JEPAKIT_DATA", value)
    assert next(found for found in doctor.findings(host) if found.name == "JEPAKIT_DATA").ok == ok
