"""Projects with a history, and what the tests of the commands ask of them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.conftest import Project, ProjectMaker, define_user_and_log

REVISION = '''"""{message}

Revision ID: {id}
"""
from alembic import op
import sqlalchemy as sa

revision = {id!r}
down_revision = {down!r}
branch_labels = {labels!r}
depends_on = {depends!r}


def upgrade():
    {up}


def downgrade():
    {back}
'''


def add_revision(
    project: Project,
    id: str,
    down: str | tuple[str, ...] | None = None,
    *,
    message: str = "",
    labels: tuple[str, ...] | None = None,
    depends: str | None = None,
    up: str = "pass",
    back: str = "pass",
) -> Path:
    """Write a revision file by hand."""
    text = REVISION.format(
        message=message or f"make {id}", id=id, down=down, labels=labels, depends=depends, up=up,
        back=back,
    )  # fmt: skip
    return project.write(f"{id}.py", text)


def add_table(project: Project, id: str, down: str | tuple[str, ...] | None, name: str) -> Path:
    """Write a revision that creates a table."""
    up = f'op.create_table("{name}", sa.Column("id", sa.Integer, primary_key=True))'
    return add_revision(
        project, id, down, message=f"add {name}", up=up, back=f'op.drop_table("{name}")'
    )


@pytest.fixture
def line(project: Project) -> Project:
    """Three revisions one after the other: aa11 adds table one, bb22 table two, cc33 nothing."""
    add_table(project, "aa11", None, "one")
    add_table(project, "bb22", "aa11", "two")
    add_revision(project, "cc33", "bb22")
    return project


@pytest.fixture
def fork(project: Project) -> Project:
    """Two heads on aa11: bb22 (label shop) and cc33 (label till)."""
    add_revision(project, "aa11")
    add_revision(project, "bb22", "aa11", labels=("shop",))
    add_revision(project, "cc33", "aa11", labels=("till",))
    return project


@pytest.fixture
def two(make_project: ProjectMaker, url: str, tmp_path: Path) -> Project:
    """Two databases, the default one and the bind logs, with one revision for both."""
    logs = f"sqlite:///{tmp_path / 'logs.db'}"
    project = make_project(url, binds={"logs": logs}, models=define_user_and_log)
    path = add_table(project, "aa11", None, "one")
    more = path.read_text().partition("\n\ndef upgrade")[2].replace("one", "log_one")
    more = more.replace("downgrade()", "downgrade_logs()")
    path.write_text(f"{path.read_text()}\n\ndef upgrade_logs{more}")
    return project


def rows(project: Project, bind: str | None = None) -> list[str]:
    """What the version table has, sorted; nothing when there is none."""
    engine = project.engine(bind)
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return []
        statement = sa.text("SELECT version_num FROM alembic_version ORDER BY 1")
        return list(connection.execute(statement).scalars())


def versions(project: Project) -> list[str]:
    """The names of the revision files."""
    return sorted(path.name for path in (project.path / "migrations/versions").glob("*.py"))


def timeless(text: str) -> str:
    """Write every duration as 0.00 s."""
    return re.sub(r"\d+\.\d\d s\b", "0.00 s", text)


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Every file below a folder with what is in it; databases too, compiled Python not."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
        if "__pycache__" not in path.parts
    }


APP = """
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from flask_sakyum_migrate import Migrate

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///{path}/default.db"
db = SQLAlchemy(app)
migrate = Migrate(app, db)


class User(db.Model):
    id = db.Column(db.Integer, primary_key=True)
"""


def run_flask(
    folder: Path, *args: str, app: str = "app.py", before: Sequence[str] = (), **env: str
) -> subprocess.CompletedProcess[str]:
    """Run the flask command in a process and a folder of its own.

    :param before: a command that runs it.
    """
    return subprocess.run(
        [*before, sys.executable, "-m", "flask", "--app", app, *args],
        cwd=folder,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
