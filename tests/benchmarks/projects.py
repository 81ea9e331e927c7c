"""The same linear history and the same models, written as a project of each tool.

The Alembic tools get byte for byte the same revision files in the folder that their own ``init``
makes; Django gets its own kind.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.benchmarks import peers
from tests.benchmarks.history import Step, steps, tables
from tests.benchmarks.peers import Environment, Peer

_SQLALCHEMY_TYPES = ("sa.Integer()", "sa.String(length=50)")
_MODEL_TYPES = ("db.Integer", "db.String(50)")
_DJANGO_TYPES = ("IntegerField(null=True)", "CharField(max_length=50, null=True)")


@dataclass(frozen=True)
class Project:
    """One project on disk: a tool, a history of ``size`` revisions and a database."""

    environment: Environment
    folder: Path
    size: int
    url: str
    commands: Mapping[str, tuple[str, ...]]

    @property
    def peer(self) -> Peer:
        """The tool this is a project of."""
        return self.environment.peer

    def argv(self, measure: str) -> list[str]:
        """Return the command line of a measure; its program is one of the environment."""
        program, *arguments = self.commands[measure]
        return [self.environment.tool(program), *arguments]

    def environ(self, *, write_pyc: bool = True) -> dict[str, str]:
        """Return the environment variables that its processes run with."""
        environ = peers.clean_environ() | {"FLASK_APP": "app:app"}
        return environ if write_pyc else environ | {"PYTHONDONTWRITEBYTECODE": "1"}

    def forget_pyc(self) -> None:
        """Remove the compiled revisions (and env.py); those of the application stay."""
        for root in (self.folder / "migrations", self.folder / "bench" / "migrations"):
            for cache in list(root.rglob("__pycache__")):
                shutil.rmtree(cache)


Commands = dict[str, tuple[str, ...]]

_BASE: Commands = {"ping": ("flask", "ping"), "startup": ("python", "startup.py")}
_EXTENSION: Commands = {
    "startup": ("python", "startup.py"),
    "other": ("flask", "ping"),
    "current": ("flask", "db", "current"),
    "heads": ("flask", "db", "heads"),
    "history": ("flask", "db", "history"),
    "head": ("flask", "db", "upgrade"),
    "empty": ("flask", "db", "upgrade"),
    "base": ("flask", "db", "downgrade", "base"),
}
_COMMANDS: dict[Peer, Commands] = {
    peers.BASE: _BASE,
    peers.FLASK_MIGRATE: _EXTENSION,
    peers.FLASK_ALEMBIC: _EXTENSION,
    peers.OURS: {
        **_EXTENSION,
        "status": ("flask", "db", "status"),
        "pending": ("flask", "db", "upgrade", "--check"),
    },
    peers.ALEMBIC: {
        "ping": ("python", "ping.py"),
        "current": ("alembic", "current"),
        "heads": ("alembic", "heads"),
        "history": ("alembic", "history"),
        "head": ("alembic", "upgrade", "head"),
        "empty": ("alembic", "upgrade", "head"),
        "base": ("alembic", "downgrade", "base"),
    },
    peers.DJANGO: {
        "ping": ("python", "manage.py", "ping"),
        "showmigrations": ("python", "manage.py", "showmigrations"),
        "head": ("python", "manage.py", "migrate"),
        "empty": ("python", "manage.py", "migrate"),
        "base": ("python", "manage.py", "migrate", "bench", "zero"),
    },
}


def write(environment: Environment, size: int, url: str | None = None) -> Project:
    """Write a project anew, with all of its files compiled, and return it.

    :param size: how many revisions its history has.
    :param url: the database; without one, an SQLite file in the project's folder.
    """
    peer = environment.peer
    folder = peers.CACHE / "projects" / f"{peer.name.replace(' ', '-')}-{size}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    database = url or f"sqlite:///{(folder / 'app.db').as_posix()}"
    project = Project(environment, folder, size, database, _COMMANDS[peer])
    if peer is peers.DJANGO:
        _write_django(project)
    elif peer is peers.ALEMBIC:
        _write_alembic(project)
    else:
        _write_flask(project)
    _run(project, "python", "-m", "compileall", "-q", ".")
    return project


# ---- Flask ----

_BASE_APP = '''\
import click
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = {url!r}
db = SQLAlchemy(app)


@app.cli.command()
def ping():
    """Read the version row."""
    with db.engine.connect() as connection:
        query = db.text("SELECT version_num FROM alembic_version")
        click.echo(connection.execute(query).scalar())


import models
'''
_EXTENSIONS = {
    peers.BASE: "",
    peers.FLASK_MIGRATE: "from flask_migrate import Migrate\n\nmigrate = Migrate(app, db)\n",
    peers.FLASK_ALEMBIC: "from flask_alembic import Alembic\n\nalembic = Alembic(app)\n",
    peers.OURS: "from flask_sakyum_migrate import Migrate\n\nmigrate = Migrate(app, db)\n",
}
_STARTUP = """\
import json
import sys
import time

import base


def private_kb():
    try:
        with open("/proc/self/smaps_rollup") as file:
            return sum(int(line.split()[1]) for line in file if line.startswith("Private_"))
    except OSError:
        return None


memory, modules, start = private_kb(), len(sys.modules), time.perf_counter()
import app

seconds = time.perf_counter() - start
after = private_kb()
print(json.dumps({
    "ms": seconds * 1000,
    "private_kb": None if after is None else after - memory,
    "modules": len(sys.modules) - modules,
    "loads": [name for name in ("alembic", "mako") if name in sys.modules],
}))
"""


def _write_flask(project: Project) -> None:
    """Write ``base.py`` (the application), ``app.py`` (plus the extension), and the revisions."""
    folder, peer = project.folder, project.peer
    _put(folder / "base.py", _BASE_APP.format(url=project.url))
    _put(folder / "models.py", "".join(_flask_models(project.size)))
    _put(folder / "app.py", f"from base import app, db\n\n{_EXTENSIONS[peer]}")
    _put(folder / "startup.py", _STARTUP)
    if peer is peers.FLASK_ALEMBIC:
        _write_revisions(folder / "migrations", project.size)
    elif peer is not peers.BASE:
        _run(project, "flask", "db", "init")
        _write_revisions(folder / "migrations" / "versions", project.size)


def _flask_models(size: int) -> Iterator[str]:
    yield "from base import db\n"
    for table, columns in tables(size).items():
        yield f'\n\nclass {table.title()}(db.Model):\n    __tablename__ = "{table}"\n'
        yield "    id = db.Column(db.Integer, primary_key=True)\n"
        for column in columns:
            yield f"    c{column:02} = db.Column({_MODEL_TYPES[column % 2]})\n"


# ---- Alembic ----

_ALEMBIC_PING = """\
import sqlalchemy as sa

with sa.create_engine({url!r}).connect() as connection:
    print(connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar())
"""


def _write_alembic(project: Project) -> None:
    """Write a folder of plain Alembic; its env.py stays as ``alembic init`` makes it: no models."""
    _run(project, "alembic", "init", "migrations")
    ini = project.folder / "alembic.ini"
    lines = ini.read_text(encoding="utf-8").splitlines()
    url = "sqlalchemy.url = " + project.url.replace("%", "%%")
    _put(ini, "\n".join(url if line.startswith("sqlalchemy.url") else line for line in lines))
    _put(project.folder / "ping.py", _ALEMBIC_PING.format(url=project.url))
    _write_revisions(project.folder / "migrations" / "versions", project.size)


def _write_revisions(folder: Path, size: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    previous = None
    for step in steps(size):
        _put(folder / f"{step.revision}_{step.label}.py", _revision(step, previous))
        previous = step.revision


def _revision(step: Step, previous: str | None) -> str:
    """Return the text of a revision file: a header as Alembic writes it and one change."""
    up, down = _alembic_change(step)
    return f'''\
"""{step.label}

Revision ID: {step.revision}
Revises: {previous or ""}
Create Date: 2024-01-01 12:00:00.000000

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '{step.revision}'
down_revision = {previous!r}
branch_labels = None
depends_on = None


def upgrade():
    {up}


def downgrade():
    {down}
'''


def _alembic_change(step: Step) -> tuple[str, str]:
    table, name = step.table, f"c{step.column:02}"
    if not step.column:
        key = "sa.Column('id', sa.Integer(), primary_key=True)"
        return f"op.create_table('{table}', {key})", f"op.drop_table('{table}')"
    column = f"sa.Column('{name}', {_SQLALCHEMY_TYPES[step.column % 2]}, nullable=True)"
    return f"op.add_column('{table}', {column})", f"op.drop_column('{table}', '{name}')"


# ---- Django ----

_DJANGO_KEY = (
    '("id", models.AutoField(auto_created=True, primary_key=True, serialize=False, '
    'verbose_name="ID"))'
)
_SETTINGS = """\
SECRET_KEY = "benchmark"
INSTALLED_APPS = ["bench"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = True
DATABASES = {{"default": {database!r}}}
"""
_MANAGE = """\
import os
import sys

from django.core.management import execute_from_command_line

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
execute_from_command_line(sys.argv)
"""
_DJANGO_PING = """\
from django.core.management.base import BaseCommand
from django.db import connection


class Command(BaseCommand):
    def handle(self, *args, **options):
        with connection.cursor() as cursor:
            cursor.execute("SELECT name FROM django_migrations ORDER BY id DESC LIMIT 1")
            self.stdout.write(cursor.fetchone()[0])
"""


def _write_django(project: Project) -> None:
    """Write a Django project with one app, ``bench``, that holds the models and migrations."""
    folder, app = project.folder, project.folder / "bench"
    _put(folder / "settings.py", _SETTINGS.format(database=_django_database(project.url)))
    _put(folder / "manage.py", _MANAGE)
    for package in (app, app / "migrations", app / "management", app / "management" / "commands"):
        package.mkdir()
        _put(package / "__init__.py", "")
    _put(app / "management" / "commands" / "ping.py", _DJANGO_PING)
    _put(app / "models.py", "".join(_django_models(project.size)))
    previous = None
    for step in steps(project.size):
        path = app / "migrations" / f"{step.django_name}.py"
        _put(path, _django_migration(step, previous))
        previous = step.django_name


def _django_database(url: str) -> dict[str, str | int | None]:
    parts = urlsplit(url)
    if parts.scheme.startswith("sqlite"):
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": url.removeprefix("sqlite:///")}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": parts.username or "",
        "PASSWORD": parts.password or "",
        "HOST": parts.hostname or "",
        "PORT": parts.port or "",
    }


def _django_models(size: int) -> Iterator[str]:
    yield "from django.db import models\n"
    for table, columns in tables(size).items():
        yield f"\n\nclass {table.title()}(models.Model):\n"
        for column in columns:
            yield f"    c{column:02} = models.{_DJANGO_TYPES[column % 2]}\n"
        yield f'\n    class Meta:\n        db_table = "{table}"\n'


def _django_migration(step: Step, previous: str | None) -> str:
    after = f'[("bench", "{previous}")]' if previous else "[]"
    return f"""\
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = {after}

    operations = [
        {_django_change(step)},
    ]
"""


def _django_change(step: Step) -> str:
    model = step.table.title()
    if not step.column:
        return f'migrations.CreateModel("{model}", [{_DJANGO_KEY}], {{"db_table": "{step.table}"}})'
    field = f"models.{_DJANGO_TYPES[step.column % 2]}"
    return f'migrations.AddField("{model}", "c{step.column:02}", {field})'


# ---- shared ----


def _put(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _run(project: Project, program: str, *arguments: str) -> None:
    command = [project.environment.tool(program), *arguments]
    subprocess.run(
        command,
        cwd=project.folder,
        env=project.environ(),
        check=True,
        capture_output=True,
    )
