"""One folder, three programs: ours, the plain alembic command, and Flask-Migrate again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.conftest import table_names

APP = """
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from {package} import Migrate

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///{path}/default.db"
app.config["SQLALCHEMY_BINDS"] = {{"logs": "sqlite:///{path}/logs.db"}}
db = SQLAlchemy(app)
migrate = Migrate(app, db, version_table="school_version")


class User(db.Model):
    id = db.Column(db.Integer, primary_key=True)


class Log(db.Model):
    __bind_key__ = "logs"
    id = db.Column(db.Integer, primary_key=True)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(
        APP.format(package="flask_sakyum_migrate", path=tmp_path.as_posix())
    )
    run(tmp_path, "flask", "db", "init")
    return tmp_path


def run(
    folder: Path, module: str, *args: str, exit_code: int = 0, warnings: str = "error"
) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-m", module, *args],
        cwd=folder,
        env={**os.environ, "FLASK_APP": "app.py", "PYTHONWARNINGS": warnings},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == exit_code, done.stdout + done.stderr
    return done.stdout, done.stderr


def alembic(folder: Path, *args: str, exit_code: int = 0) -> tuple[str, str]:
    return run(folder, "alembic", "-c", "migrations/alembic.ini", *args, exit_code=exit_code)


def tables(folder: Path, name: str) -> set[str]:
    engine = sa.create_engine(f"sqlite:///{folder / name}")
    try:
        return table_names(engine)
    finally:
        engine.dispose()


def test_the_alembic_command_runs_the_folder(folder: Path) -> None:
    alembic(folder, "revision", "--autogenerate", "-m", "create")
    _, talk = alembic(folder, "upgrade", "head")
    assert "Running upgrade  -> " in talk
    assert tables(folder, "default.db") == {"school_version", "user"}
    assert tables(folder, "logs.db") == {"school_version", "log"}
    head = alembic(folder, "heads")[0]
    assert alembic(folder, "current")[0] == head * 2
    assert alembic(folder, "check")[0] == "No new upgrade operations detected.\n"
    alembic(folder, "revision", "--autogenerate", "-m", "nothing")
    assert len(list((folder / "migrations" / "versions").glob("*.py"))) == 1
    assert "CREATE TABLE school_version" in alembic(folder, "upgrade", "head", "--sql")[0]
    alembic(folder, "downgrade", "base")
    assert tables(folder, "logs.db") == {"school_version"}
    assert run(folder, "flask", "db", "upgrade")[0] == ""
    assert run(folder, "flask", "db", "current")[0] == head * 2


def test_errors_are_one_message_under_alembic(folder: Path) -> None:
    (folder / "migrations" / "versions" / "bad.py").write_text(
        '"""bad"""\nfrom alembic import op\nrevision = "bad1"\ndown_revision = None\n\n\n'
        "def upgrade():\n    op.execute('DELETE FROM missing')\n"
    )
    out, talk = alembic(folder, "upgrade", "head", exit_code=255)
    assert "Traceback" not in out + talk
    assert "FAILED: upgrade of bad1 (bad) failed: OperationalError" in out


def test_back_to_flask_migrate(folder: Path) -> None:
    """Its own folder around our revision files and version table: it goes on from there."""
    run(folder, "flask", "db", "migrate", "-m", "create")
    run(folder, "flask", "db", "upgrade")
    engine = sa.create_engine(f"sqlite:///{folder / 'default.db'}")
    with engine.begin() as connection:  # to Flask-Migrate it is a table without a model
        connection.exec_driver_sql("DROP TABLE school_version_runs")
    engine.dispose()
    versions = (folder / "migrations" / "versions").rename(folder / "kept")
    (folder / "app.py").write_text(APP.format(package="flask_migrate", path=folder.as_posix()))
    shutil.rmtree(folder / "migrations")
    run(folder, "flask", "db", "init")
    (folder / "migrations" / "versions").rmdir()
    versions.rename(folder / "migrations" / "versions")
    warned = "default"  # its env.py calls what Flask-SQLAlchemy 3 deprecates
    head = run(folder, "flask", "db", "heads")[0]
    assert run(folder, "flask", "db", "current", warnings=warned)[0] == head
    assert "No new upgrade operations" in run(folder, "flask", "db", "check", warnings=warned)[0]
    run(folder, "flask", "db", "downgrade", "base", warnings=warned)
    assert tables(folder, "default.db") == {"school_version"}
    run(folder, "flask", "db", "upgrade", warnings=warned)


def test_back_to_bare_alembic(folder: Path) -> None:
    """Alembic's own generic env.py runs our revision files on the default database."""
    run(folder, "flask", "db", "migrate", "-m", "create")
    run(folder, "flask", "db", "upgrade")
    from alembic import command
    from alembic.config import Config

    ini = folder / "bare.ini"
    config = Config(str(ini))
    command.init(config, str(folder / "bare"))
    text = ini.read_text().replace(
        "driver://user:pass@localhost/dbname", f"sqlite:///{folder}/default.db"
    )
    ini.write_text(text)
    env = folder / "bare" / "env.py"
    env.write_text(
        env.read_text().replace(
            "target_metadata=target_metadata",
            "target_metadata=target_metadata, version_table='school_version'",
        )
    )
    for path in (folder / "migrations" / "versions").glob("*.py"):
        path.rename(folder / "bare" / "versions" / path.name)
    done = subprocess.run(
        [sys.executable, "-m", "alembic", "-c", str(ini), "downgrade", "base"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert tables(folder, "default.db") == {"school_version"}
