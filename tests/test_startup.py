"""What a web worker and a help page pay: no Alembic, no Mako, nothing of the rooms."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

APP = """
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from flask_sakyum_migrate import Migrate

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///{path}/default.db"
db = SQLAlchemy(app)
migrate = Migrate(app, db, models=["app_models"])
"""
LOADED = """
import sys
print("loaded", *(m for m in sys.modules if m.partition(".")[0] in ("alembic", "mako")), end="")
"""
ROOMS = """
import sys
print(*sorted(m for m in sys.modules if m.startswith("flask_sakyum")), end="")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP.format(path=tmp_path.as_posix()))
    return tmp_path


def python(folder: Path, code: str) -> list[str]:
    """Run code in a new process; return the words of the last line it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code + "\nprint()"],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "FLASK_APP": "app.py"},
    )
    assert done.returncode == 0, done.stderr
    return (done.stdout.removesuffix("\n").splitlines() or [""])[-1].split()


def test_a_worker_imports_neither_alembic_nor_the_rooms(folder: Path) -> None:
    assert python(folder, "import app\n" + LOADED) == ["loaded"]
    assert python(folder, "import app, alembic\n" + LOADED) != ["loaded"]
    assert python(folder, "import app\n" + ROOMS) == [
        "flask_sakyum_migrate",
        "flask_sakyum_migrate.cli",
        "flask_sakyum_migrate.errors",
        "flask_sakyum_migrate.extension",
        "flask_sakyum_migrate.hooks",
        "flask_sakyum_migrate.state",
    ]


@pytest.mark.parametrize(
    "args",
    [
        ["--help"],
        ["routes"],
        ["db", "--help"],
        ["db", "upgrade", "--help"],
        ["db", "heads"],
        ["db", "current"],
        ["db", "upgrade"],
        ["db", "history"],
        ["db", "show"],
        ["db", "branches"],
        ["db", "runs"],
        ["db", "prepare"],
    ],
    ids=" ".join,
)
def test_a_command_that_runs_nothing_does_not_import_alembic(folder: Path, args: list[str]) -> None:
    assert flask_at_head(folder, args, LOADED) == ["loaded"]


@pytest.mark.parametrize(
    ("args", "families"),
    [(["heads"], []), (["current"], ["running"]), (["upgrade"], ["running"])],
    ids=["heads", "current", "upgrade"],
)
def test_a_command_makes_no_records_but_its_own(
    folder: Path, args: list[str], families: list[str]
) -> None:
    start = "flask_sakyum_migrate.results."
    rooms = flask_at_head(folder, ["db", *args], ROOMS)
    assert [one.removeprefix(start) for one in rooms if one.startswith(start)] == families


def flask_at_head(folder: Path, args: list[str], then: str) -> list[str]:
    """Run a command where there is nothing left to run; return what code says after it."""
    prepare = "import app\nwith app.app.app_context():\n    r = app.migrate.repository\n"
    python(folder, prepare + "    r.init(); r.revision('one'); r.upgrade()")
    code = (
        "import flask.cli, sys\n"
        f"sys.argv = ['flask', *{args!r}]\n"
        "try:\n    flask.cli.main()\nexcept SystemExit as error:\n    assert error.code == 0\n"
    )
    return python(folder, code + then)
