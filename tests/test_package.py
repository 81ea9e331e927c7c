"""What is installed: the templates, the type marker, the entry point, the public names."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import flask_sakyum_migrate

ROOT = Path(__file__).parent.parent
PACKAGE = Path(flask_sakyum_migrate.__file__).parent


def test_the_installed_package_has_its_data() -> None:
    assert (PACKAGE / "py.typed").is_file()
    names = {path.name for path in (PACKAGE / "templates" / "flask").iterdir() if path.is_file()}
    assert names == {"README", "alembic.ini.mako", "env.py", "script.py.mako"}


def test_the_entry_point_is_registered() -> None:
    (entry,) = [one for one in entry_points(group="flask.commands") if "sakyum" in one.value]
    assert entry.name == "db"
    assert entry.load().name == "db"


def test_the_public_names() -> None:
    assert flask_sakyum_migrate.__all__ == [
        "ConfigError",
        "DataError",
        "DatabaseBehindError",
        "DatabaseError",
        "HalfAppliedError",
        "HistoryError",
        "HookError",
        "LockTimeoutError",
        "Migrate",
        "MigrateError",
        "RefusedError",
        "Repository",
        "StepError",
    ]
    for name in flask_sakyum_migrate.__all__:
        assert getattr(flask_sakyum_migrate, name).__name__ == name
    assert flask_sakyum_migrate.__version__.count(".") == 2


def test_the_wheel_has_every_file(tmp_path: Path) -> None:
    if not (ROOT / "flask_sakyum_migrate").is_dir():
        pytest.skip("there are no sources here: this run is of a built wheel already")
    pytest.importorskip("build", reason="installed with the dev extra")
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    for path in (ROOT / "flask_sakyum_migrate").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert path.relative_to(ROOT).as_posix() in inside
