"""Locks of the application on MariaDB: short waits, statements tried again, who is in the way."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from flask_sakyum_migrate import StepError
from flask_sakyum_migrate.upgrading import mysql
from tests.conftest import DatabaseMaker, Project, ProjectMaker

TABLES = '''"""tables"""
from alembic import op
import sqlalchemy as sa

revision = "r1"
down_revision = None


def upgrade():
    op.create_table("busy", sa.Column("id", sa.Integer, primary_key=True))
    op.create_table("quiet", sa.Column("n", sa.Integer))
    op.execute("INSERT INTO quiet VALUES (0)")
    op.execute("INSERT INTO busy VALUES (1)")


def downgrade():
    pass
'''
ALTER = '''"""alter busy"""
from alembic import op
import sqlalchemy as sa

revision = "r2"
down_revision = "r1"
{settings}

def upgrade():
    op.execute("UPDATE quiet SET n = n + 1")
    {statement}
    op.execute("UPDATE quiet SET n = n + 10")


def downgrade():
    pass
'''
ADD = 'op.add_column("busy", sa.Column("c", sa.Integer))'
READ = "SELECT * FROM busy"


def write(project: Project, statement: str = ADD, settings: str = "") -> None:
    project.write("r2.py", ALTER.format(statement=statement, settings=settings))


@pytest.fixture
def busy(make_project: ProjectMaker, make_database: DatabaseMaker) -> Project:
    """A project on MariaDB at r1, with r2 to run, which changes the table ``busy``."""
    project = make_project(make_database("mariadb"))
    project.write("r1.py", TABLES)
    project.flask("upgrade")
    write(project)
    return project


@contextmanager
def holding(project: Project, seconds: float, statement: str = READ) -> Iterator[int]:
    """Keep a transaction open for a while, in another thread; give the number of its session."""
    held, done = threading.Event(), threading.Event()
    engine = sa.create_engine(project.engine().url, poolclass=sa.NullPool)
    numbers: list[int] = []

    def hold() -> None:
        with engine.connect() as connection:
            numbers.append(connection.exec_driver_sql("SELECT CONNECTION_ID()").scalar_one())
            connection.exec_driver_sql(statement)
            held.set()
            done.wait(seconds)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(30)
    try:
        yield numbers[0]
    finally:
        done.set()
        thread.join()


def ask(project: Project, statement: str) -> Any:
    with project.engine().connect() as connection:
        return connection.exec_driver_sql(statement).scalar()


def upgrade(project: Project, **policy: Any) -> list[str]:
    """Upgrade; return what was said meanwhile."""
    said: list[str] = []
    repository = project.repository
    policy["say"] = said.append
    replace(repository, policy=replace(repository.policy, **policy)).upgrade()
    return said


def test_the_application_goes_on_while_a_change_of_a_table_waits(busy: Project) -> None:
    waits: list[float] = []
    stop = threading.Event()
    engine = sa.create_engine(busy.engine().url, poolclass=sa.NullPool)

    def read() -> None:
        while not stop.is_set():
            started = time.monotonic()
            with engine.connect() as connection:
                connection.exec_driver_sql(READ).all()
            waits.append(time.monotonic() - started)
            time.sleep(0.02)

    reader = threading.Thread(target=read)
    with holding(busy, 4) as number:
        reader.start()
        started = time.monotonic()
        said = upgrade(busy)
        took = time.monotonic() - started
        stop.set()
        reader.join()
    assert 3 < took < 10
    assert max(waits) < 1.7  # one second, and what this machine does meanwhile
    assert len(said) == 1
    assert said[0].startswith(f"Waiting for a lock. In the way: connection {number} of ")
    assert ask(busy, "SELECT n FROM quiet") == 11


def test_a_short_wait_is_not_talked_about(busy: Project) -> None:
    with holding(busy, 1.3):
        assert upgrade(busy) == []
    assert ask(busy, "SELECT n FROM quiet") == 11


def test_who_is_in_the_way_for_too_long_is_named(
    busy: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mysql, "PATIENCE", 2.0)
    monkeypatch.setattr(mysql, "TRIES", 2)
    with holding(busy, 60) as number, pytest.raises(StepError) as caught:
        upgrade(busy)
    assert "Lock wait timeout exceeded" in caught.value.message
    assert f"In the way: connection {number} of " in caught.value.hint
    assert 'lock_timeout = "30s"' in caught.value.hint
    upgrade(busy)
    assert ask(busy, "SELECT n FROM quiet") == 11


def test_a_revision_says_how_long_it_waits(busy: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mysql, "PATIENCE", 0.0)
    monkeypatch.setattr(mysql, "TRIES", 1)
    write(busy, settings='lock_timeout = "20s"')
    with holding(busy, 3):
        upgrade(busy)
    assert ask(busy, "SELECT n FROM quiet") == 11


def test_no_limit_waits_as_the_server_does(busy: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mysql, "TRIES", 0)
    monkeypatch.setattr(mysql, "PATIENCE", 0.0)
    with holding(busy, 2.5):
        assert upgrade(busy, lock_timeout=0.0) == []
    assert ask(busy, "SELECT n FROM quiet") == 11


def wait_briefly_for_rows(project: Project) -> None:
    """Have the sessions of a project wait one second for a row, and not fifty."""

    @sa.event.listens_for(project.engine(), "connect")
    def connect(driver: Any, record: Any) -> None:
        driver.cursor().execute("SET SESSION innodb_lock_wait_timeout = 1")

    project.engine().dispose()


def test_rows_that_are_locked(busy: Project) -> None:
    write(busy, 'op.execute("UPDATE busy SET id = id + 1")')
    wait_briefly_for_rows(busy)
    with holding(busy, 2.5, "SELECT * FROM busy FOR UPDATE"):
        upgrade(busy)
    assert ask(busy, "SELECT n FROM quiet") == 11
    assert ask(busy, "SELECT id FROM busy") == 2


def test_many_rows_are_inserted_once(busy: Project) -> None:
    """PyMySQL sends them in parts; the table is locked when some have been inserted already."""
    rows = "[{'id': n, 'text': 'x' * 2000} for n in range(2, 2002)]"
    write(
        busy,
        'op.execute("CREATE TABLE IF NOT EXISTS copy (id INTEGER PRIMARY KEY, text TEXT)")\n    '
        "op.execute(\"INSERT INTO copy VALUES (1, 'one')\")\n    "
        f'op.bulk_insert(sa.table("copy", sa.column("id"), sa.column("text")), {rows})',
    )
    with busy.engine().begin() as connection:
        connection.exec_driver_sql("CREATE TABLE copy (id INTEGER PRIMARY KEY, text TEXT)")
    wait_briefly_for_rows(busy)
    with holding(busy, 2.5, "INSERT INTO copy VALUES (1500, 'mine')"):
        upgrade(busy)
    assert ask(busy, "SELECT count(*) FROM copy") == 2001
    assert ask(busy, "SELECT n FROM quiet") == 11


def test_a_deadlock_is_not_tried_again(busy: Project) -> None:
    up = "op.execute(\"SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'dead'\")"
    write(busy, up)
    started = time.monotonic()
    with pytest.raises(StepError, match="1213"):
        upgrade(busy)
    assert time.monotonic() - started < 1
    assert ask(busy, "SELECT n FROM quiet") == 0


def test_the_session_goes_back_to_its_pool_as_it_came(busy: Project) -> None:
    before = ask(busy, "SELECT @@GLOBAL.lock_wait_timeout")
    write(busy, 'op.execute("INSERT INTO quiet SELECT @@SESSION.lock_wait_timeout")')
    upgrade(busy)
    assert ask(busy, "SELECT min(n) FROM quiet") == 11
    assert ask(busy, "SELECT @@SESSION.lock_wait_timeout") == before
    write(busy, 'op.execute("ALTER TABLE nothing")')
    with pytest.raises(StepError):
        busy.repository.downgrade("r1")
        upgrade(busy)
    assert ask(busy, "SELECT @@SESSION.lock_wait_timeout") == before


def test_the_commit_of_a_step_may_wait_for_longer(
    busy: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    @sa.event.listens_for(busy.engine(), "commit")
    def look(connection: sa.Connection) -> None:
        cursor = connection.connection.cursor()
        cursor.execute("SELECT @@SESSION.lock_wait_timeout")
        seen.append(cursor.fetchone()[0])  # type: ignore[index]

    usual = ask(busy, "SELECT @@SESSION.lock_wait_timeout")
    upgrade(busy)
    assert usual > 1000
    assert set(seen) == {usual}


def test_tables_in_a_statement() -> None:
    find = mysql.tables_in
    assert find("ALTER TABLE `a b`.c ADD d INT") == ["c"]
    assert find("CREATE INDEX i ON t (a)") == ["t"]
    assert find("INSERT INTO `t` SELECT * FROM u JOIN v ON u.id = v.id")[:3] == ["t", "u", "v"]
    assert find("DROP TABLE IF EXISTS t") == ["t"]
