"""What is published: a wheel that works by itself and carries the protocol and the spec."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from what git tracks, as from a clean clone, in a folder of its own."""
    clone = tmp_path_factory.mktemp("clone")
    tracked = (
        subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    )
    for name in filter(None, tracked):
        if (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            (clone / name).write_bytes((ROOT / name).read_bytes())
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", out, clone],
        check=True,
    )
    (built,) = out.glob("cartsync-*.whl")
    return built


def test_the_wheel_carries_stubs_protocol_spec_and_templates(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for proto in (ROOT / "proto").rglob("*.proto"):
        inside = proto.relative_to(ROOT / "proto").as_posix()
        assert inside in names
        assert inside.replace(".proto", "_pb2.py") in names
        assert inside.replace(".proto", "_pb2.pyi") in names
    for chapter in (ROOT / "docs" / "spec").glob("*.md"):
        assert f"conformance/requirements/spec/{chapter.name}" in names
    for contract in (ROOT / "compat").glob("*/contract.json"):
        assert f"conformance/requirements/released/{contract.parent.name}/contract.json" in names
    assert "conformance/reports/templates/report.html.j2" in names
    assert "cartsync/py.typed" in names


def test_the_wheel_carries_nothing_that_would_shadow_other_packages(wheel: Path) -> None:
    top = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in top if not name.endswith(".dist-info")} == {
        "cartsync",
        "conformance",
        "reference_client",
        "reference_server",
    }


def test_the_installed_wheel_runs_outside_the_repository(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=False)
    site = next((environment / "lib").glob("python*")) / "site-packages"
    zipfile.ZipFile(wheel).extractall(site)
    # Dependencies are those of this environment; the project itself comes from the wheel alone.
    here = next(Path(path) for path in sys.path if path.endswith("site-packages"))
    program = (
        f"import sys; sys.path.append({str(here)!r}); sys.argv[1:] = ['requirements', '--format', 'table']\n"
        "from conformance.requirements.editions import load_edition; assert load_edition('1.0-draft.1').released\n"
        "import conformance; assert conformance.__file__.startswith(sys.prefix), conformance.__file__\n"
        "from conformance.cli import main; main()"
    )
    result = subprocess.run(
        [environment / "bin" / "python", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "requirements," in result.stdout


def test_the_lock_file_has_every_declared_dependency_in_an_allowed_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    declared = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    locked = dict(
        line.split(" ")[0].split("==") for line in (ROOT / "requirements.lock").read_text().splitlines() if "==" in line
    )
    for text in declared:
        requirement = Requirement(text)
        version = locked[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{text}, but {version} is locked: run `make lock`"


def test_the_lock_file_is_hashed_and_names_no_index() -> None:
    text = (ROOT / "requirements.lock").read_text()
    assert text.count("--hash=sha256:") >= text.count("==")
    assert "http" not in text
    assert "--find-links" not in text
