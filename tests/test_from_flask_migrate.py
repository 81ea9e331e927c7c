"""Folders made by real releases of Flask-Migrate work here, with only the import changed."""

from __future__ import annotations

import importlib.util
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from tests import flask_migrate_releases
from tests.conftest import DatabaseMaker, table_names

# The env.py files of before Flask-Migrate 4 call a method by its old name.
pytestmark = [
    pytest.mark.releases,
    pytest.mark.filterwarnings("ignore:Table.tometadata:DeprecationWarning"),
]
every_release = pytest.mark.parametrize("release", flask_migrate_releases.releases())
both_kinds = pytest.mark.parametrize("multidb", [False, True], ids=["single", "multidb"])


class Old:
    """A copy of a release's project, with the application loaded from it."""

    def __init__(self, path: Path, app: Flask, model: Callable[[str], Any]) -> None:
        self.path = path
        self.app = app
        self.model = model

    def flask(self, *args: str, exit_code: int = 0) -> Any:
        result = self.app.test_cli_runner().invoke(args=["db", *args])
        assert result.exit_code == exit_code, result.output + repr(result.exception)
        return result

    def rows(self, table: str, bind: str | None = None) -> list[Any]:
        with self.app.app_context():
            engine = self.app.extensions["sqlalchemy"].engines[bind]
        with engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(f"SELECT * FROM {table}")]

    def tables(self, bind: str | None = None) -> set[str]:
        with self.app.app_context():
            return table_names(self.app.extensions["sqlalchemy"].engines[bind])


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Old]]:
    opened: list[Flask] = []

    def make(release: str, multidb: bool, **urls: str) -> Old:
        path = tmp_path / f"project{len(opened)}"
        shutil.copytree(flask_migrate_releases.project(release, multidb), path)
        source = (path / "app.py").read_text()
        (path / "app.py").write_text(source.replace("flask_migrate", "flask_sakyum_migrate"))
        monkeypatch.chdir(path)
        monkeypatch.delenv("DATABASE_URL", raising=False)
        monkeypatch.delenv("LOGS_URL", raising=False)
        for name, url in urls.items():
            monkeypatch.setenv(name, url)
        spec = importlib.util.spec_from_file_location("old_app", path / "app.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        opened.append(module.app)
        return Old(path, module.app, lambda name: getattr(module, name))

    yield make
    for app in opened:
        with app.app_context():
            for engine in app.extensions["sqlalchemy"].engines.values():
                engine.dispose()


@every_release
@both_kinds
def test_its_database_goes_on(old: Callable[..., Old], release: str, multidb: bool) -> None:
    project = old(release, multidb)
    before = snapshot(project.path / "migrations")
    head = project.flask("heads").stdout
    assert project.flask("current").stdout == head * (1 + multidb)
    assert "nothing to do" in project.flask("upgrade").stderr
    assert project.flask("check").stdout == "No new upgrade operations detected.\n"
    project.flask("downgrade", "-1")
    assert [row[:2] for row in project.rows("user")] == [(1, "Ada")]
    project.flask("upgrade")
    assert project.rows("user") == [(1, "Ada", None)]
    if multidb:
        assert project.rows("log", "logs") == [(1, "started")]
    assert snapshot(project.path / "migrations") == before


@every_release
@both_kinds
def test_it_upgrades_from_empty_and_generates(
    old: Callable[..., Old], release: str, multidb: bool, tmp_path: Path
) -> None:
    project = old(
        release,
        multidb,
        DATABASE_URL=f"sqlite:///{tmp_path / 'new.db'}",
        LOGS_URL=f"sqlite:///{tmp_path / 'newlogs.db'}",
    )
    project.flask("upgrade")
    assert project.tables() == {"alembic_version", "user"}
    if multidb:
        assert project.tables("logs") == {"alembic_version", "log"}
    assert "No changes in schema detected." in project.flask("migrate").stderr

    add_columns(project, multidb)
    assert "add_column" in project.flask("check", exit_code=1).stdout
    made = Path(project.flask("migrate", "-m", "third").stdout.strip()).read_text()
    assert "op.drop_table" not in made
    project.flask("upgrade")
    assert project.flask("check").stdout == "No new upgrade operations detected.\n"
    project.flask("downgrade", "base")
    assert project.tables() == {"alembic_version"}
    if multidb:
        assert project.tables("logs") == {"alembic_version"}


def add_columns(project: Old, multidb: bool) -> None:
    project.model("User").__table__.append_column(sa.Column("age", sa.Integer))
    if multidb:
        project.model("Log").__table__.append_column(sa.Column("level", sa.Integer))


@both_kinds
@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_on_servers(
    old: Callable[..., Old], make_database: DatabaseMaker, kind: str, multidb: bool
) -> None:
    project = old("4.1.0", multidb, DATABASE_URL=make_database(kind), LOGS_URL=make_database(kind))
    project.flask("upgrade")
    assert "nothing to do" in project.flask("upgrade").stderr
    add_columns(project, multidb)
    project.flask("migrate", "-m", "third")
    project.flask("upgrade")
    project.flask("downgrade", "base")
    assert project.tables() == {"alembic_version"}


@every_release
@both_kinds
def test_an_edited_env_py_is_run_as_it_is(
    old: Callable[..., Old], release: str, multidb: bool
) -> None:
    project = old(release, multidb)
    edit_env(project)
    project.flask("downgrade", "-1")
    assert "edited env.py ran" in project.flask("upgrade").stderr
    assert project.rows("user") == [(1, "Ada", None)]
    assert project.flask("current").stdout == project.flask("heads").stdout * (1 + multidb)
    assert project.flask("check").stdout == "No new upgrade operations detected.\n"


@every_release
def test_an_edited_env_py_does_not_drop_the_tables_of_a_bind(
    old: Callable[..., Old], release: str
) -> None:
    """Under Flask-Migrate, those of 2.0 to 2.5 and of 3 do, since Flask-SQLAlchemy 3."""
    project = old(release, True)
    edit_env(project)
    add_columns(project, True)
    made = Path(project.flask("migrate", "-m", "third").stdout.strip()).read_text()
    assert "drop_table" not in made
    assert "add_column" in made.partition("def upgrade_logs")[2]


def edit_env(project: Old) -> None:
    env = project.path / "migrations" / "env.py"
    env.write_text(env.read_text() + "\nimport sys; sys.stderr.write('edited env.py ran\\n')\n")


def test_plain_sqlite_has_one_version_row(old: Callable[..., Old]) -> None:
    project = old("4.1.0", False)
    project.flask("downgrade", "base")
    project.flask("upgrade")
    with closing(sqlite3.connect(project.path / "app.db")) as connection:
        assert connection.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)


def snapshot(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
