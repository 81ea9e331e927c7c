"""The environments of the benchmark: one virtual environment per tool, made once and kept.

They live in ``.cache/bench`` of the repository, or where ``MIGRATE_BENCH_CACHE`` points. The first
one made decides the versions of everything the others share, so no tool is measured on a newer
Flask or SQLAlchemy than its neighbour.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("MIGRATE_BENCH_CACHE") or REPOSITORY / ".cache" / "bench").absolute()
PACKAGE = "flask_sakyum_migrate"

_SQLALCHEMY = ("SQLAlchemy>=2.0,<2.1", "psycopg2-binary", "PyMySQL")
_FLASK = ("Flask", "Flask-SQLAlchemy", *_SQLALCHEMY)
_BIN = "Scripts" if os.name == "nt" else "bin"


@dataclass(frozen=True)
class Peer:
    """A tool that is measured: its name in the tables and what pip installs for it."""

    name: str
    requirements: tuple[str, ...]
    from_tree: bool = False


FLASK_MIGRATE = Peer("Flask-Migrate", (*_FLASK, "Flask-Migrate"))
FLASK_ALEMBIC = Peer("Flask-Alembic", (*_FLASK, "Flask-Alembic"))
ALEMBIC = Peer("Alembic", (*_SQLALCHEMY, "alembic"))
DJANGO = Peer("Django", ("Django", "psycopg2-binary"))
OURS = Peer("flask-sakyum-migrate", _FLASK, from_tree=True)
BASE = Peer("no extension", _FLASK)
PEERS = (FLASK_MIGRATE, FLASK_ALEMBIC, ALEMBIC, DJANGO, OURS)


@dataclass(frozen=True)
class Environment:
    """A virtual environment that holds one tool."""

    peer: Peer
    folder: Path

    def tool(self, name: str) -> str:
        """Return the path of a program of this environment.

        :param name: ``python``, ``flask``, ``alembic``, ...
        """
        return str(self.folder / _BIN / name)

    def versions(self) -> dict[str, str]:
        """Return the version of every distribution that is installed here."""
        lines = _pip(self, "list", "--format=freeze").splitlines()
        return dict(line.split("==", 1) for line in lines if "==" in line)


def clean_environ() -> dict[str, str]:
    """Return this process's environment without what changes how Python or a tool runs.

    An inherited ``PYTHONDONTWRITEBYTECODE`` would make one side compile its files on every run.
    """
    drop = ("PYTHON", "FLASK_", "DJANGO_", "SQLALCHEMY_", "VIRTUAL_ENV")
    return {key: value for key, value in os.environ.items() if not key.startswith(drop)}


def ours_is_there() -> bool:
    """Return whether the tree holds a package with commands that can be installed."""
    needed = ("pyproject.toml", "README.md", f"{PACKAGE}/cli/__init__.py")
    return all((REPOSITORY / name).is_file() for name in needed)


@cache
def environment(peer: Peer) -> Environment:
    """Return the environment of a tool; it is made, or made again, when it is not as asked for.

    Once per run: a tree that is edited meanwhile is measured as it was at the start.

    :raises subprocess.CalledProcessError: when pip cannot install the tool.
    """
    if peer is not FLASK_MIGRATE and not _constraints().exists():
        environment(FLASK_MIGRATE)
    made = Environment(peer, CACHE / f"env-{peer.name.replace(' ', '-')}-{_python_tag()}")
    stamp = made.folder / "bench-stamp.txt"
    wanted = _stamp(peer)
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        _make(made)
        stamp.write_text(wanted, encoding="utf-8")
    return made


def _make(made: Environment) -> None:
    venv.create(made.folder, clear=True, with_pip=True)
    limits = ["-c", str(_constraints())] if made.peer is not FLASK_MIGRATE else []
    tree = [str(REPOSITORY)] if made.peer.from_tree else []
    _pip(made, "install", *limits, *made.peer.requirements, *tree)
    if made.peer is FLASK_MIGRATE:
        _constraints().write_text(_pip(made, "freeze"), encoding="utf-8")


def _pip(made: Environment, *arguments: str) -> str:
    command = [made.tool("python"), "-m", "pip", *arguments]
    done = subprocess.run(command, env=clean_environ(), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stderr)
        done.check_returncode()
    return done.stdout


def _stamp(peer: Peer) -> str:
    """Return what an environment of a tool was made from; a change means: make it again."""
    parts = [*peer.requirements, sys.version]
    if peer.from_tree:
        parts.append(_tree_hash())
    return "\n".join(parts)


def _tree_hash() -> str:
    files = [path for path in (REPOSITORY / PACKAGE).rglob("*") if path.is_file()]
    files = [path for path in files if "__pycache__" not in path.parts]
    digest = hashlib.sha256()
    for path in [REPOSITORY / "pyproject.toml", *sorted(files)]:
        digest.update(path.as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _constraints() -> Path:
    return CACHE / f"constraints-{_python_tag()}.txt"


def _python_tag() -> str:
    return f"py{sys.version_info.major}.{sys.version_info.minor}"
