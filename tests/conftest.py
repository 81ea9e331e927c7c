"""Fixtures: an application of each kind, its repository, and every database that answers."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskCliRunner
from flask_sqlalchemy import SQLAlchemy

from flask_sakyum_migrate import Migrate
from flask_sakyum_migrate.repository import Repository
from tests import fast_and_slow

SERVERS = {
    "postgresql": os.environ.get(
        "TEST_POSTGRESQL_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"
    ),
    "mariadb": os.environ.get("TEST_MARIADB_URL", "mysql+pymysql://root@127.0.0.1:3306/mysql"),
}
"""Where databases for the tests are made and dropped."""


def _answers(url: str) -> str | None:
    """Return why a server does not answer; None when it does."""
    engine = sa.create_engine(url)
    try:
        with engine.connect():
            return None
    except sa.exc.SQLAlchemyError as error:
        return str(error).splitlines()[0]
    finally:
        engine.dispose()


@pytest.fixture(autouse=True)
def both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare models and databases in the fast and in the slow way, wherever a test does it."""
    monkeypatch.setattr(Repository, "check", fast_and_slow.check)


@pytest.fixture(scope="session")
def server_problems() -> dict[str, str | None]:
    return {name: _answers(url) for name, url in SERVERS.items()}


DatabaseMaker = Callable[[str], str]


@pytest.fixture
def make_database(
    tmp_path: Path, server_problems: dict[str, str | None]
) -> Iterator[DatabaseMaker]:
    """Make an empty database of a kind and return its URL; all are dropped after the test."""
    made: list[tuple[str, str]] = []

    def make(kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{tmp_path / f'{uuid.uuid4().hex[:8]}.db'}"
        if server_problems[kind]:
            if os.environ.get("CI"):
                pytest.fail(f"{kind} does not answer: {server_problems[kind]}")
            pytest.skip(f"{kind} does not answer: {server_problems[kind]}")
        name = f"migrate_test_{uuid.uuid4().hex[:12]}"
        _on_server(kind, f"CREATE DATABASE {name}")
        made.append((kind, name))
        return sa.make_url(SERVERS[kind]).set(database=name).render_as_string(hide_password=False)

    yield make
    for kind, name in made:
        _on_server(kind, f"DROP DATABASE {name}" + (" WITH (FORCE)" if kind != "mariadb" else ""))


@pytest.fixture
def scratch_prefix(monkeypatch: pytest.MonkeyPatch) -> str:
    """How the throw-away databases of this test begin: tests beside it make others."""
    prefix = f"scratch_{uuid.uuid4().hex[:6]}_"
    monkeypatch.setattr("flask_sakyum_migrate.scratch.PREFIX", prefix)
    return prefix


def _on_server(kind: str, statement: str) -> None:
    engine = sa.create_engine(SERVERS[kind], isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(statement))
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def bind_url(request: pytest.FixtureRequest, make_database: DatabaseMaker) -> str:
    """The URL of an empty database: the test runs once on each."""
    return make_database(request.param)


@pytest.fixture
def url(make_database: DatabaseMaker) -> str:
    """The URL of an empty SQLite database."""
    return make_database("sqlite")


def git(path: Path, *arguments: str) -> None:
    """Run git in a folder, as Ann."""
    who = ["-c", "user.name=Ann", "-c", "user.email=ann@school", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", "-C", str(path), *who, *arguments], check=True, capture_output=True)


def table_names(engine: sa.Engine) -> set[str]:
    """Return the tables of a database without the history of runs, which is beside the version."""
    names = sa.inspect(engine).get_table_names()
    return {name for name in names if not name.endswith("_runs")}


class Project:
    """An application in a folder, with everything a test asks of it."""

    def __init__(self, path: Path, app: Flask, db: Any, migrate: Migrate) -> None:
        self.path = path
        self.app = app
        self.db = db
        self.migrate = migrate

    @property
    def repository(self) -> Repository:
        with self.app.app_context():
            return self.migrate.repository

    @property
    def runner(self) -> FlaskCliRunner:
        return self.app.test_cli_runner()

    def flask(self, *args: str) -> Any:
        """Run ``flask db ARGS`` in this process; the result has exit_code, stdout and stderr."""
        return self.runner.invoke(args=["db", *args])

    def engine(self, bind: str | None = None) -> sa.Engine:
        with self.app.app_context():
            engine: sa.Engine = self.db.engines[bind]
            return engine

    def tables(self, bind: str | None = None) -> set[str]:
        """Return the names of the tables, without the history of runs."""
        return table_names(self.engine(bind))

    def write(self, name: str, text: str) -> Path:
        """Write a revision file."""
        path = self.path / "migrations" / "versions" / name
        path.write_text(text, "utf-8")
        return path


ProjectMaker = Callable[..., Project]


@pytest.fixture
def make_project(tmp_path: Path) -> Iterator[ProjectMaker]:
    """Make an application with Flask-SQLAlchemy; engines and models are gone after the test.

    ``models(db)`` defines its models, ``binds`` are its other databases, the rest is for Migrate.
    """
    made: list[Project] = []

    def make(
        url: str | None,
        *,
        binds: dict[str, str] | None = None,
        models: Callable[[Any], object] = define_user,
        folder: str = "project",
        init: bool = True,
        **options: Any,
    ) -> Project:
        path = tmp_path / folder
        path.mkdir(exist_ok=True)
        app = Flask("project", root_path=str(path), instance_path=str(path / "instance"))
        if url is not None:
            app.config["SQLALCHEMY_DATABASE_URI"] = url
        app.config["SQLALCHEMY_BINDS"] = binds or {}
        db = SQLAlchemy(app)
        models(db)
        directory = options.pop("directory", path / "migrations")
        migrate = Migrate(app, db, directory, **options)
        project = Project(path, app, db, migrate)
        made.append(project)
        if init and not Path(directory).exists():
            project.repository.init()
        return project

    yield make
    for project in made:
        with project.app.app_context():
            for engine in project.db.engines.values():
                engine.dispose()
        # SQLAlchemy remembers dialects, which remember types, which remember models: the next test
        # would meet them.
        for metadata in project.db.metadatas.values():
            metadata.clear()


def define_user(db: Any) -> None:
    """The smallest model: a user with a name."""
    db.Table(
        "user",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(50)),
    )


def define_user_and_log(db: Any) -> None:
    """A user on the default bind and a log on the bind ``logs``."""
    define_user(db)
    db.Table(
        "log",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("text", sa.String(50)),
        bind_key="logs",
    )


@pytest.fixture
def project(make_project: ProjectMaker, url: str) -> Project:
    """An application with a user model, an empty migrations folder and a SQLite database."""
    return make_project(url)
