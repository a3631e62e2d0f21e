"""What is shipped: the wheel and the sdist built from this checkout, and their metadata."""

from __future__ import annotations

import email
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SHIPPED = (
    "jepakit/registry.yaml",
    "jepakit/py.typed",
    "jepakit/report/page.html.j2",
    "jepakit_modalities/py.typed",
)


def build(kind: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "build", "--no-isolation", f"--{kind}", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    return zipfile.ZipFile(build("wheel", tmp_path_factory.mktemp("wheel")))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", tmp_path_factory.mktemp("sdist"))


def package_files(suffix: str) -> set[str]:
    """Files of the two import packages in the checkout, as they are named in a wheel."""
    roots = (ROOT / "core", ROOT / "modalities")
    return {path.relative_to(root).as_posix() for root in roots for path in root.rglob(f"*{suffix}")}


def test_wheel_holds_every_module_and_data_file(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    recipes = package_files(".yaml")
    assert recipes, "no recipe in the checkout"
    assert (package_files(".py") | recipes | set(SHIPPED)) - names == set()


def test_wheel_holds_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"jepakit", "jepakit_modalities"}
    assert not [name for name in wheel.namelist() if "__pycache__" in name]


def test_registry_in_the_wheel_is_the_one_in_the_checkout(wheel: zipfile.ZipFile) -> None:
    assert wheel.read("jepakit/registry.yaml") == (ROOT / "registry.yaml").read_bytes()


def test_metadata_names_the_licence_and_no_path_of_this_machine(wheel: zipfile.ZipFile) -> None:
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    metadata = email.message_from_bytes(wheel.read(name))
    assert metadata["Name"] == "jepakit"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert [line for line in metadata.get_all("Requires-Dist", []) if "file:" in line or " @ " in line] == []
    assert str(ROOT) not in wheel.read(name).decode()


def test_entry_points_lead_to_modules_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    (name,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    targets = [line.split("=")[1].strip().split(":")[0] for line in wheel.read(name).decode().splitlines() if "=" in line]
    files = set(wheel.namelist())
    assert targets
    assert [target for target in targets if f"{target.replace('.', '/')}.py" not in files] == []


def test_wheel_built_from_the_sdist_is_the_same(sdist: Path, wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    out = tmp_path / "out"
    command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(out), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (again,) = out.iterdir()
    assert sorted(zipfile.ZipFile(again).namelist()) == sorted(wheel.namelist())
