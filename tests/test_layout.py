"""The house rules that no other tool checks."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from postal_track.settings import ROOT

TOP_LEVEL = {
    ".ci",
    ".gitignore",
    ".npmrc",
    "CHANGELOG.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "app.py",
    "docs",
    "migrations",
    "package-lock.json",
    "package.json",
    "piccolo_conf.py",
    "postal_track",
    "pyproject.toml",
    "requirements-dev.lock",
    "requirements-node.lock",
    "requirements.lock",
    "routes",
    "sms",
    "tests",
    "tsconfig.json",
}

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PURE = next(
    contract["source_modules"]
    for contract in PYPROJECT["tool"]["importlinter"]["contracts"]
    if contract["name"] == "What is pure stays pure"
)


def tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in listed.stdout.split("\0") if name]


def file_of(module: str) -> Path:
    return ROOT / f"{module.replace('.', '/')}.py"


def imported_by(path: Path) -> set[str]:
    """Every module a file imports, also inside its functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively"
            module = node.module or ""
            found |= {
                whole if file_of(whole).exists() else module
                for whole in (f"{module}.{alias.name}" for alias in node.names)
            }
    return found


def test_the_top_level_holds_what_was_agreed_on() -> None:
    assert {name.split("/")[0] for name in tracked()} <= TOP_LEVEL


@pytest.mark.parametrize("folder", ["tests", "migrations"])
def test_tests_and_migrations_lie_flat(folder: str) -> None:
    inside = [name for name in tracked() if name.startswith(f"{folder}/")]
    deep = [name for name in inside if name.endswith(".py") and name.count("/") > 1]
    assert deep == []


@pytest.mark.parametrize("word", ["utils", "helpers", "services", "repositories"])
def test_no_room_is_named_after_nothing(word: str) -> None:
    names = [part for name in tracked() for part in Path(name).with_suffix("").parts]
    assert word not in names


@pytest.mark.parametrize("name", ["app", "postal_track", "routes", "sms"])
def test_our_names_mean_our_files(name: str) -> None:
    found = importlib.import_module(name).__file__
    assert found is not None
    assert Path(found).is_relative_to(ROOT)
    assert ".venv" not in Path(found).relative_to(ROOT).parts


@pytest.mark.parametrize("name", ["app", "postal_track", "routes", "sms"])
def test_our_names_mean_our_files_from_any_folder(name: str, tmp_path: Path) -> None:
    (tmp_path / "routes.py").write_text("raise ImportError('somebody else')\n")
    asked = f"import importlib.util as u; print(u.find_spec({name!r}).origin)"
    found = subprocess.run(
        # Where the arq and litestar commands stand: a script, and the folder appended.
        [sys.executable, "-P", "-c", f"import sys; sys.path.append('.'); {asked}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(found.stdout.strip()).is_relative_to(ROOT)


@pytest.mark.parametrize("module", PURE)
def test_what_is_pure_imports_the_standard_library_and_its_like(module: str) -> None:
    foreign = {
        name
        for name in imported_by(file_of(module)) - set(PURE)
        if name.split(".")[0] not in sys.stdlib_module_names
    }
    assert foreign == set()


def test_nothing_but_the_wiring_knows_the_wiring() -> None:
    rooms = [
        path
        for room in ("postal_track", "routes", "sms")
        for path in (ROOT / room).glob("**/*.py")
    ]
    assert [path for path in rooms if "app" in imported_by(path)] == []


def test_the_rooms_know_each_other_in_one_direction_only() -> None:
    said = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stdout


def test_the_locks_name_no_host() -> None:
    for path in ROOT.glob("requirements*.lock"):
        assert "://" not in path.read_text("utf-8"), path.name
    assert '"resolved"' not in (ROOT / "package-lock.json").read_text("utf-8")


def test_what_must_stay_private_is_not_tracked() -> None:
    assert not [name for name in tracked() if name.startswith(("var/", ".env"))]
    assert "Private :: Do Not Upload" in PYPROJECT["project"]["classifiers"]
