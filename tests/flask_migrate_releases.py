"""Real projects made by older releases of Flask-Migrate, for the tests to work on.

``project("2.7.0", multidb=False)`` gives the path of a small Flask project whose
``migrations`` folder, revisions and SQLite databases were made by running that very
release in a virtual environment of its own. The first call builds it (it needs a
package index), later calls find it in the cache folder, which is ``.cache`` in the
repository or the folder named by the ``MIGRATE_TEST_CACHE`` environment variable.

A project holds ``app.py``, ``migrations`` with two revisions ("create" and "add
column"), and ``app.db`` upgraded to the second one with one row in ``user``. A multidb
project also has ``logs.db`` with one row in ``log``. ``app.py`` uses the databases next
to itself, or those named by ``DATABASE_URL`` and ``LOGS_URL``. Copy a project before
changing anything in it: the cache is shared by every test.
"""

import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

COMMAND_TIMEOUT = 300  # seconds
MARKER = ".complete"

# Every release, with the packages of its own time as far as they still run on the
# Pythons of today. Release 2.0.0 cannot be imported without Flask-Script. Flask 1.1.2
# is the last 1.x that allows Jinja2 3.0 (1.1.3 and later want an older one), which works
# with a MarkupSafe that has wheels for Python 3.11 and 3.12. Flask-SQLAlchemy 2.4 does not
# work with SQLAlchemy 1.4.
FLASK_1 = (
    "Flask==1.1.2",
    "Werkzeug==1.0.1",
    "Jinja2==3.0.3",
    "MarkupSafe==2.1.5",
    "itsdangerous==2.0.1",
    "click==7.1.2",
    "Flask-SQLAlchemy==2.5.1",
    "SQLAlchemy==1.4.54",
    "alembic==1.5.8",
)
FLASK_2 = (
    "Flask==2.0.3",
    "Werkzeug==2.0.3",
    "Flask-SQLAlchemy==2.5.1",
    "SQLAlchemy==1.4.54",
    "alembic==1.7.7",
)
FLASK_3 = (
    "Flask==3.0.3",
    "Werkzeug==3.0.6",
    "Flask-SQLAlchemy==3.1.1",
    "SQLAlchemy==2.0.36",
    "alembic==1.13.3",
)
PINS = {
    "2.0.0": ("Flask-Migrate==2.0.0", "Flask-Script==2.0.6", *FLASK_1),
    "2.7.0": ("Flask-Migrate==2.7.0", *FLASK_1),
    "3.1.0": ("Flask-Migrate==3.1.0", *FLASK_2),
    "4.0.7": ("Flask-Migrate==4.0.7", *FLASK_3),
    "4.1.0": ("Flask-Migrate==4.1.0", *FLASK_3),
}

# The oldest packages are built from source, and Flask 1.1 imports pkg_resources.
BUILD_TOOLS = ("setuptools<81", "wheel")

APP_HEAD = """\
import os
from pathlib import Path

from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy

HERE = Path(__file__).resolve().parent.as_posix()

app = Flask(__name__)
app.config["SQLALCHEMY_TRACK_MODIFICATIONS"] = False
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ.get("DATABASE_URL", f"sqlite:///{HERE}/app.db")
"""
APP_BINDS = """\
app.config["SQLALCHEMY_BINDS"] = {
    "logs": os.environ.get("LOGS_URL", f"sqlite:///{HERE}/logs.db"),
}
"""
APP_USER = """\
db = SQLAlchemy(app)
migrate = Migrate(app, db)


class User(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(50))
"""
APP_EMAIL = """\
    email = db.Column(db.String(120), nullable=True)
"""
APP_LOG = """\


class Log(db.Model):
    __bind_key__ = "logs"
    id = db.Column(db.Integer, primary_key=True)
    text = db.Column(db.Text)
"""


def releases() -> list[str]:
    """Return the releases a project can be asked for, oldest first."""
    return list(PINS)


def project(release: str, multidb: bool) -> Path:
    """Return the cached project folder made by a release; copy it before use."""
    cache = os.environ.get("MIGRATE_TEST_CACHE") or Path(__file__).resolve().parents[1] / ".cache"
    folder = Path(cache).resolve() / "flask-migrate" / f"{release}-{_fingerprint()}"
    if not (folder / MARKER).is_file():
        _build(release, folder)
    return folder / _template(multidb)


def _template(multidb: bool) -> str:
    return "multidb" if multidb else "single"


def _fingerprint() -> str:
    """Name the recipe, which is this file, so that a changed one is built anew."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]


def _build(release: str, folder: Path) -> None:
    """Make both projects of a release aside, then move them into place in one step.

    Two test runs may do this at the same time: the first to finish wins, and the other
    one throws its own work away.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="flask-migrate-") as work,
        tempfile.TemporaryDirectory(prefix=".new-", dir=folder.parent) as new,
    ):
        python = _make_environment(release, Path(work, "venv"))
        made = Path(new, folder.name)
        for multidb in (False, True):
            _make_project(python, made / _template(multidb), multidb)
        (made / MARKER).write_text("\n".join(PINS[release]) + "\n", encoding="utf-8")
        if folder.exists() and not (folder / MARKER).is_file():
            shutil.rmtree(folder, ignore_errors=True)
        try:
            made.replace(folder)
        except OSError:
            if not (folder / MARKER).is_file():
                raise


def _make_environment(release: str, venv: Path) -> Path:
    """Install a release in a new virtual environment and return its Python."""
    _run([sys.executable, "-m", "venv", str(venv)], venv.parent)
    python = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*install, *BUILD_TOOLS], venv.parent)
    _run([*install, "--no-build-isolation", *PINS[release]], venv.parent)
    return python


def _make_project(python: Path, folder: Path, multidb: bool) -> None:
    """Make one project by running the commands its developer would have run."""
    folder.mkdir(parents=True)
    flask = [str(python), "-m", "flask", "db"]
    _write_app(folder, multidb, email=False)
    output = _run([*flask, "init", *(["--multidb"] if multidb else [])], folder)
    output += _run([*flask, "migrate", "-m", "create"], folder)
    output += _run([*flask, "upgrade"], folder)
    _insert(folder / "app.db", "INSERT INTO user (name) VALUES ('Ada')")
    if multidb:
        _insert(folder / "logs.db", "INSERT INTO log (text) VALUES ('started')")
    _write_app(folder, multidb, email=True)
    output += _run([*flask, "migrate", "-m", "add column"], folder)
    output += _run([*flask, "upgrade"], folder)
    if len(list(folder.glob("migrations/versions/*.py"))) != 2:
        raise RuntimeError(f"no two revisions were made in {folder}:\n{output}")


def _write_app(folder: Path, multidb: bool, email: bool) -> None:
    parts = [APP_HEAD, APP_BINDS if multidb else "", "\n", APP_USER]
    parts += [APP_EMAIL if email else "", APP_LOG if multidb else ""]
    (folder / "app.py").write_text("".join(parts), encoding="utf-8")


def _insert(database: Path, statement: str) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(statement)


def _run(command: list[str], folder: Path) -> str:
    """Run a command in a folder and return its output; raise RuntimeError if it fails."""
    unwanted = ("PYTHON", "FLASK_", "DATABASE_URL", "LOGS_URL")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(unwanted)}
    environment |= {"FLASK_APP": "app.py", "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    shown = " ".join(command)
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=COMMAND_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"{shown} took over {COMMAND_TIMEOUT} s:\n{error.output}") from error
    if done.returncode != 0:
        raise RuntimeError(f"{shown} ended with status {done.returncode}:\n{done.stdout}")
    return done.stdout
