"""While rows go in or away no upgrade runs, and the other way round."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import sqlalchemy as sa

from flask_sakyum_migrate import LockTimeoutError
from flask_sakyum_migrate.data.lines import open_lines
from flask_sakyum_migrate.data.loading import Mode, Receiver
from flask_sakyum_migrate.errors import DataError
from flask_sakyum_migrate.policy import Policy
from flask_sakyum_migrate.upgrading.lock import Lock
from tests.cli.conftest import add_revision
from tests.conftest import Project, ProjectMaker

UP = 'op.create_table("note", sa.Column("id", sa.Integer, primary_key=True))'
BUSY = r"is being migrated by .*\n.*MIGRATE_LOCK_WAIT=600 flask db "


@pytest.fixture
def notes(make_project: ProjectMaker, bind_url: str) -> Project:
    project = make_project(bind_url, models=lambda db: None)
    add_revision(project, "aa11", up=UP)
    project.repository.upgrade()
    with project.engine().begin() as connection:
        connection.exec_driver_sql("INSERT INTO note VALUES (1), (2)")
    return project


@contextmanager
def held(project: Project) -> Iterator[None]:
    with (
        project.engine().connect() as connection,
        Lock(0).hold(connection, "alembic_version", None),
    ):
        yield
        connection.close()


def dump_of(project: Project) -> io.BytesIO:
    file = io.BytesIO()
    project.repository.dump(file)
    return io.BytesIO(file.getvalue())


def count(project: Project) -> int:
    with project.engine().connect() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM note").scalar_one())


def test_rows_wait_for_an_upgrade(notes: Project) -> None:
    repository = replace(notes.repository, policy=Policy(lock_wait=0))
    file = dump_of(notes)
    with held(notes):
        with pytest.raises(LockTimeoutError, match=BUSY + "load"):
            repository.load(file, replace=True)
        with pytest.raises(LockTimeoutError, match=BUSY + "clean"):
            repository.clean()
        with pytest.raises(LockTimeoutError, match=BUSY + "clean"):
            repository.clean(drop=True)
        assert count(notes) == 2
    repository.clean()
    assert count(notes) == 0


def test_an_upgrade_waits_for_rows(notes: Project) -> None:
    busy = []

    def look(table: str, rows: int) -> None:
        with pytest.raises(LockTimeoutError), held(notes):
            pass
        busy.append(table)

    notes.repository.load(dump_of(notes), replace=True, on_rows=look)
    assert busy == ["note"] and count(notes) == 2
    with held(notes):  # nobody has it behind the load, and the session is as it came
        pass
    if notes.engine().dialect.name == "postgresql":
        with notes.engine().connect() as connection:
            label = connection.exec_driver_sql("SHOW application_name").scalar_one()
            assert "flask-sakyum-migrate" not in label


def test_a_database_that_was_moved_on_meanwhile_is_refused(notes: Project) -> None:
    lines = open_lines(dump_of(notes), "notes.jsonl")
    repository = notes.repository
    repository.clean()
    place = repository._place("load", repository.databases()[0], (), ())

    @contextmanager
    def moving(connection: sa.Connection) -> Iterator[None]:
        with notes.engine().begin() as other:
            other.exec_driver_sql("UPDATE alembic_version SET version_num = 'bb22'")
        yield

    receiver = Receiver(
        replace(place, hold=moving), lines.manifest.databases[0], Mode(), "notes.jsonl"
    )
    with pytest.raises(DataError, match=r"to bb22 meanwhile, and notes.jsonl is of revision aa11"):
        receiver.__enter__()
