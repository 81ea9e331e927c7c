"""Revisions that were cut short: the next run goes on where they stopped, or says why not."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest
import sqlalchemy as sa

from flask_sakyum_migrate import StepError
from flask_sakyum_migrate.errors import HalfAppliedError
from flask_sakyum_migrate.upgrading import postgresql as waiting
from flask_sakyum_migrate.upgrading.journal.table import JournalTable
from tests.conftest import DatabaseMaker, Project, ProjectMaker, define_user_and_log
from tests.database import kill

REVISION = '''"""{message}"""
from alembic import op
import sqlalchemy as sa

revision = {id!r}
down_revision = {down!r}


def upgrade():
    {up}


def downgrade():
    {back}
'''
START = """op.create_table("counter", sa.Column("n", sa.Integer))
    op.execute("INSERT INTO counter VALUES (0)")"""
# In each revision a change of rows before a change of tables, which commits it on MySQL.
STEPS = """op.execute("UPDATE counter SET n = n + 1")
    table = op.create_table(
        "made", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.String(20))
    )
    op.bulk_insert(table, [{"name": "one"}, {"name": "two"}])
    op.execute(table.insert().values(name="three"))
    op.add_column("counter", sa.Column("extra", sa.Integer))
    op.execute("UPDATE counter SET n = n + 10, extra = 1")
    op.create_index("ix_made_name", "made", ["name"])
    op.execute("UPDATE counter SET n = n + 100")"""
BACK = """op.execute("UPDATE counter SET n = n - 100")
    op.drop_index("ix_made_name", "made")
    op.execute("UPDATE counter SET n = n - 10")
    op.drop_column("counter", "extra")
    op.drop_table("made")
    op.execute("UPDATE counter SET n = n - 1")"""


def write(
    project: Project, id: str, down: str | None, up: str, back: str = "pass", message: str = ""
) -> Path:
    text = REVISION.format(id=id, down=down, up=up, back=back, message=message or f"make {id}")
    return project.write(f"{id}.py", text)


def ask(project: Project, statement: str) -> Any:
    """Return what a statement gives, on a connection of its own."""
    with project.engine().connect() as connection:
        return connection.exec_driver_sql(statement).all()


def versions(project: Project) -> list[str]:
    return [row[0] for row in ask(project, "SELECT version_num FROM alembic_version")]


def journal(project: Project) -> list[tuple[int, str]]:
    """Return the numbers and states in the journal; nothing when there is none."""
    if "alembic_version_journal" not in project.tables():
        return []
    rows = ask(project, "SELECT number, state FROM alembic_version_journal ORDER BY number")
    return [tuple(row) for row in rows]


@pytest.fixture
def mariadb(make_project: ProjectMaker, make_database: DatabaseMaker) -> Project:
    """A project on MariaDB at a0, which has the table ``counter``; to run: b1."""
    project = make_project(make_database("mariadb"))
    write(project, "a0", None, START)
    project.repository.upgrade()
    write(project, "b1", "a0", STEPS, BACK, "make more")
    return project


# ---- the process is killed -------------------------------------------------------------------


class Killed(BaseException):
    """The process is gone: nothing of it is executed any more."""


class Death:
    """Ends a process, as far as a database can tell, at one of its calls of the driver.

    :param at: the number of the call, from 1; or what is in its text.
    :param before: the call does not reach the server; else its answer does not come back.
    """

    def __init__(self, at: int | str, *, before: bool) -> None:
        self.calls = 0
        self.connections: dict[int, Any] = {}
        self.is_dead = False
        self._at = at
        self._before = before

    def call(self, connection: Any, what: str, function: Callable[[], Any]) -> Any:
        if self.is_dead:
            raise Killed
        self.connections[id(connection)] = connection
        self.calls += 1
        if not (self._at in what if isinstance(self._at, str) else self.calls == self._at):
            return function()
        self.is_dead = True
        if not self._before:
            with suppress(Exception):
                function()
        for one in self.connections.values():
            close = getattr(one, "_force_close", None) or one.close
            close()
        raise Killed


@contextmanager
def dying(monkeypatch: pytest.MonkeyPatch, death: Death) -> Iterator[None]:
    """Have the calls of PyMySQL and psycopg go through a death."""

    def watched(owner: type, name: str, connection_of: Callable[[Any], Any]) -> None:
        inner = getattr(owner, name)

        @functools.wraps(inner)
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            what = str(args[0]) if args else name
            return death.call(connection_of(self), what, lambda: inner(self, *args, **kwargs))

        patch.setattr(owner, name, call)

    with monkeypatch.context() as patch:
        # It would go on in its thread, which the death of a process ends.
        patch.setattr(waiting._Watch, "_run", lambda self: None)
        for owner in (pymysql.cursors.Cursor, psycopg.Cursor):
            watched(owner, "execute", lambda cursor: cursor.connection)
        for owner in (pymysql.connections.Connection, psycopg.Connection):
            watched(owner, "commit", lambda connection: connection)
        yield


def cut_short(
    project: Project, monkeypatch: pytest.MonkeyPatch, verb: str, at: int | str, *, before: bool
) -> bool:
    """Run an upgrade or a downgrade in a process that dies; return whether it did."""
    death = Death(at, before=before)
    with dying(monkeypatch, death):
        try:
            getattr(project.repository, verb)()
        except BaseException:  # whatever a dead process would have met on its way out
            if not death.is_dead:
                raise
    project.engine().dispose()
    return death.is_dead


def check_state(project: Project, n: int, head: str) -> None:
    assert versions(project) == [head]
    assert ask(project, "SELECT n FROM counter") == [(n,)]
    at_head = head == "b1"
    assert project.tables() - {"made", "alembic_version_journal"} == {"alembic_version", "counter"}
    assert journal(project) == []
    columns = {one["name"] for one in sa.inspect(project.engine()).get_columns("counter")}
    assert columns == ({"n", "extra"} if at_head else {"n"})
    if at_head:
        assert ask(project, "SELECT name FROM made ORDER BY id") == [("one",), ("two",), ("three",)]
        assert len(sa.inspect(project.engine()).get_indexes("made")) == 1
    else:
        assert "made" not in project.tables()


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_killed_at_each_call_of_an_upgrade_and_of_a_downgrade(
    mariadb: Project, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    died = {"upgrade": 0, "downgrade": 0}
    for verb, n, head in (("upgrade", 111, "b1"), ("downgrade", 0, "a0")):
        at = 0
        while True:
            at += 1
            if not cut_short(mariadb, monkeypatch, verb, at, before=before):
                break
            died[verb] += 1
            if versions(mariadb) != [head]:  # it may have died when all was done
                getattr(mariadb.repository, verb)()
            check_state(mariadb, n, head)
            back = "downgrade" if verb == "upgrade" else "upgrade"
            getattr(mariadb.repository, back)()
            assert "alembic_version_journal" not in mariadb.tables()
        check_state(mariadb, n, head)
    assert min(died.values()) > 20


# ---- what a person sees, and mends -----------------------------------------------------------

BROKEN = STEPS.replace("op.add_column", 'op.execute("ALTER TABLE nothing")\n    op.add_column')


def test_a_statement_that_fails_is_mended_and_the_upgrade_goes_on(mariadb: Project) -> None:
    write(mariadb, "b1", "a0", BROKEN, BACK)
    result = mariadb.flask("upgrade")
    assert result.exit_code == 1
    assert (
        "Statements 1 to 4 are noted: what stays of that is not run again. Mend the revision from "
        "statement 5 on and run  flask db upgrade  again." in result.stderr
    )
    mended = STEPS.replace("n + 10,", "n + 20,")  # after the place where it stopped
    write(mariadb, "b1", "a0", mended, BACK.replace("n - 10", "n - 20"))
    result = mariadb.flask("upgrade")
    assert result.exit_code == 0, result.stderr
    assert "The upgrade of b1 was cut short. It goes on with statement 5." in result.stderr
    check_state(mariadb, 121, "b1")
    assert "alembic_version_journal" not in mariadb.tables()


def test_a_change_of_rows_that_fails_takes_back_those_before_it(mariadb: Project) -> None:
    broken = 'op.execute("UPDATE counter SET n = 7")\n    op.execute("UPDATE nothing SET n = 7")'
    write(mariadb, "b1", "a0", broken)
    result = mariadb.flask("upgrade")
    assert result.exit_code == 1
    assert "It was rolled back: nothing of this revision stays." in result.stderr
    assert ask(mariadb, "SELECT n FROM counter") == [(0,)]
    assert "alembic_version_journal" not in mariadb.tables()


def test_another_file_stops_before_anything_more_is_executed(mariadb: Project) -> None:
    write(mariadb, "b1", "a0", BROKEN, BACK)
    mariadb.flask("upgrade")
    write(mariadb, "b1", "a0", STEPS.replace('name="three"', 'name="four"'), BACK)
    with pytest.raises(HalfAppliedError) as caught:
        mariadb.repository.upgrade()
    half = caught.value.half
    assert half.reason == "statement 4 of its file is not the one that ran"
    assert [(one.number, one.state) for one in half.statements] == [
        (1, "done"), (2, "done"), (3, "done"), (4, "done"),
    ]  # fmt: skip
    assert half.rest[0] == "INSERT INTO made (name) VALUES ('four')"
    assert half.rest[-1] == "UPDATE counter SET n = n + 100"
    assert len(half.rest) == 5
    assert "flask db resolve b1 --applied" in str(caught.value)
    assert "  1 done: UPDATE counter SET n = n + 1" in str(caught.value)
    assert ask(mariadb, "SELECT n FROM counter") == [(1,)]
    assert ask(mariadb, "SELECT name FROM made ORDER BY id")[-1] == ("three",)
    assert versions(mariadb) == ["a0"]
    write(mariadb, "b1", "a0", STEPS, BACK)  # the file as it was
    mariadb.repository.upgrade()
    check_state(mariadb, 111, "b1")


def test_a_file_that_lost_what_ran_stops(mariadb: Project) -> None:
    write(mariadb, "b1", "a0", BROKEN, BACK)
    mariadb.flask("upgrade")
    write(mariadb, "b1", "a0", 'op.execute("UPDATE counter SET n = n + 1")', BACK)
    with pytest.raises(HalfAppliedError, match="its file has fewer statements than ran"):
        mariadb.repository.upgrade()
    assert versions(mariadb) == ["a0"]


def test_a_value_that_is_another_one_each_time_stops(mariadb: Project) -> None:
    up = """import uuid
    op.get_bind().execute(sa.text("UPDATE counter SET n = :n"), {"n": uuid.uuid4().int % 1000})
    op.add_column("counter", sa.Column("extra", sa.Integer))
    op.execute("ALTER TABLE nothing")"""
    write(mariadb, "b1", "a0", up)
    mariadb.flask("upgrade")
    before = ask(mariadb, "SELECT n FROM counter")
    with pytest.raises(HalfAppliedError, match="statement 1 of its file is not the one that ran"):
        mariadb.repository.upgrade()
    assert ask(mariadb, "SELECT n FROM counter") == before


def test_the_rest_cannot_be_shown_where_the_code_wants_a_result(mariadb: Project) -> None:
    up = """op.execute("UPDATE counter SET n = 5")
    op.create_table("made", sa.Column("id", sa.Integer))
    op.execute("ALTER TABLE nothing")"""
    write(mariadb, "b1", "a0", up)
    mariadb.flask("upgrade")
    up = """op.execute("UPDATE counter SET n = 6")
    assert op.get_bind().execute(sa.text("SELECT n FROM counter")).scalar() == 6, "not six"
    op.execute("UPDATE counter SET n = 7")"""
    write(mariadb, "b1", "a0", up)
    with pytest.raises(HalfAppliedError) as caught:
        mariadb.repository.upgrade()
    assert caught.value.half.rest == ("UPDATE counter SET n = 6",)
    assert "The rest cannot be shown from here: " in str(caught.value)
    assert "not six" in caught.value.half.note


# ---- whose turn it is ------------------------------------------------------------------------


@pytest.fixture
def half(mariadb: Project) -> Project:
    """The project with b1 half applied, and its file mended."""
    write(mariadb, "b1", "a0", BROKEN, BACK)
    mariadb.flask("upgrade")
    write(mariadb, "b1", "a0", STEPS, BACK)
    assert len(journal(mariadb)) == 5
    return mariadb


def test_a_downgrade_stops_while_an_upgrade_is_half_applied(half: Project) -> None:
    with pytest.raises(HalfAppliedError) as caught:
        half.repository.downgrade()
    assert "this run would begin with the downgrade of a0" in str(caught.value)
    assert "flask db resolve b1" in caught.value.hint
    assert versions(half) == ["a0"]
    half.repository.upgrade()
    check_state(half, 111, "b1")


def test_an_upgrade_that_begins_elsewhere_stops(half: Project) -> None:
    write(half, "c1", "a0", "pass")
    with pytest.raises(HalfAppliedError, match="would begin with the upgrade of c1"):
        half.repository.upgrade("c1")
    half.repository.upgrade("b1")
    check_state(half, 111, "b1")


def test_an_upgrade_stops_while_a_downgrade_is_half_applied(
    half: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    half.repository.upgrade()
    write(half, "c1", "b1", "pass")
    assert cut_short(half, monkeypatch, "downgrade", "drop_column", before=False) is False
    half.repository.upgrade("b1")
    assert cut_short(half, monkeypatch, "downgrade", "DROP COLUMN", before=False)
    with pytest.raises(HalfAppliedError, match="The downgrade of b1"):
        half.repository.upgrade()
    half.repository.downgrade()
    check_state(half, 0, "a0")


def test_a_stamp_forgets_what_was_noted(half: Project) -> None:
    result = half.flask("stamp", "b1")
    assert result.exit_code == 0, result.stderr
    assert "The upgrade of b1 was cut short here. As the database is stamped now" in result.stderr
    assert "alembic_version_journal" not in half.tables()
    assert versions(half) == ["b1"]


def test_what_another_tool_has_settled_is_forgotten(half: Project) -> None:
    with half.engine().begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'b1'")
        connection.exec_driver_sql("ALTER TABLE counter ADD COLUMN extra INTEGER")
        connection.exec_driver_sql("CREATE INDEX ix_made_name ON made (name)")
        connection.exec_driver_sql("UPDATE counter SET n = 111")
    write(half, "c1", "b1", "pass")
    half.repository.upgrade()
    assert "alembic_version_journal" not in half.tables()
    half.repository.downgrade("a0")
    check_state(half, 0, "a0")


def test_it_is_nobody_s_model(half: Project) -> None:
    with half.engine().begin() as connection:  # not at head, there is nothing to compare
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'b1'")
    operations = "".join(half.repository.check().operations)
    assert "drop_table('counter')" in operations and "journal" not in operations
    assert "alembic_version_journal" in half.tables()


# ---- what a statement gave when it ran -------------------------------------------------------


def resumed(project: Project, up: str, mended: str) -> Any:
    """Run a revision that fails at ``BREAK``, mend it and run it again."""
    write(project, "b1", "a0", up.replace("BREAK", 'op.execute("ALTER TABLE nothing")'))
    assert project.flask("upgrade").exit_code == 1
    write(project, "b1", "a0", up.replace("BREAK", mended))
    return project.flask("upgrade")


def test_numbers_of_what_is_left_out_are_those_of_the_run_that_did_it(mariadb: Project) -> None:
    up = """bind = op.get_bind()
    table = sa.table("made", sa.column("id", sa.Integer), sa.column("name", sa.String))
    real = op.create_table(
        "made", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.String(20))
    )
    bind.execute(table.insert().values(id=41, name="other"))
    result = bind.execute(real.insert().values(name="one"))
    key = result.inserted_primary_key[0]
    changed = bind.execute(sa.text("UPDATE made SET name = 'changed'")).rowcount
    op.bulk_insert(real, [{"name": "two"}, {"name": "three"}])
    BREAK
    op.get_bind().execute(real.insert().values(name=f"{key} {changed}"))"""
    result = resumed(mariadb, up, "pass")
    assert result.exit_code == 0, result.stderr
    names = [row[0] for row in ask(mariadb, "SELECT name FROM made ORDER BY id")]
    assert names == ["changed", "changed", "two", "three", "42 2"]


def test_rows_that_are_not_noted_stop(mariadb: Project) -> None:
    up = """real = op.create_table(
        "made", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.String(20))
    )
    rows = [{"name": "one"}, {"name": "two"}]
    keys = op.get_bind().execute(real.insert().returning(real.c.id), rows)
    first = min(row[0] for row in keys)
    BREAK
    op.execute(real.insert().values(name=f"after {first}"))"""
    result = resumed(mariadb, up, "pass")
    assert result.exit_code == 1
    assert "statement 2 gives rows, which are not noted" in result.stderr
    assert len(ask(mariadb, "SELECT * FROM made")) == 2


def test_an_implicit_returning_is_left_out(mariadb: Project) -> None:
    """MariaDB gives a server default back with RETURNING, which SQLAlchemy then fetches."""
    up = """real = op.create_table(
        "made",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(20), server_default="none"),
    )
    result = op.get_bind().execute(real.insert().values(id=5).return_defaults())
    BREAK"""
    result = resumed(mariadb, up, "assert result.returned_defaults is None")
    assert result.exit_code == 0, result.stderr
    assert ask(mariadb, "SELECT id, name FROM made") == [(5, "none")]


def test_the_journal_does_not_show_in_last_insert_id(mariadb: Project) -> None:
    up = """op.create_table(
        "made", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.String(20))
    )
    op.execute("INSERT INTO made VALUES (70, 'one')")
    op.execute("INSERT INTO made (name) VALUES ('two')")
    op.add_column("counter", sa.Column("extra", sa.Integer))
    op.execute("INSERT INTO made (name) SELECT LAST_INSERT_ID()")"""
    write(mariadb, "b1", "a0", up)
    mariadb.repository.upgrade()
    assert ask(mariadb, "SELECT name FROM made ORDER BY id") == [("one",), ("two",), ("71",)]


def test_last_insert_id_of_what_is_left_out(mariadb: Project) -> None:
    up = """op.create_table("made", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("INSERT INTO made VALUES (70)")
    op.execute("INSERT INTO made VALUES (NULL)")
    op.execute("SET @made = LAST_INSERT_ID()")
    op.execute("UPDATE counter SET n = n + 1")
    BREAK
    op.execute("UPDATE counter SET n = n + @made")"""
    result = resumed(mariadb, up, "pass")
    assert result.exit_code == 0, result.stderr
    assert ask(mariadb, "SELECT n FROM counter") == [(72,)]


def test_a_revision_that_drops_every_table_it_finds(mariadb: Project) -> None:
    up = """op.execute("CREATE TABLE made (id INTEGER)")
    for name in sa.inspect(op.get_bind()).get_table_names():
        if name not in ("counter", "alembic_version", "alembic_version_runs"):
            op.drop_table(name)
    op.execute("UPDATE counter SET n = n + 1")
    op.add_column("counter", sa.Column("extra", sa.Integer))
    op.execute("UPDATE counter SET n = n + 10")"""
    write(mariadb, "b1", "a0", up)
    mariadb.repository.upgrade()
    assert mariadb.tables() == {"alembic_version", "counter"}
    assert ask(mariadb, "SELECT n FROM counter") == [(11,)]


def test_what_a_savepoint_took_back_is_not_done_again(mariadb: Project) -> None:
    up = """bind = op.get_bind()
    op.execute("UPDATE counter SET n = n + 1")
    nested = bind.begin_nested()
    op.execute("UPDATE counter SET n = n + 50")
    nested.rollback()
    op.execute("UPDATE counter SET n = n + 10")
    BREAK"""
    result = resumed(mariadb, up, 'op.execute("UPDATE counter SET n = n + 100")')
    assert result.exit_code == 0, result.stderr
    assert ask(mariadb, "SELECT n FROM counter") == [(111,)]


# ---- in doubt --------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [True, False], ids=["not run", "run"])
@pytest.mark.parametrize(
    "statement",
    [
        "RENAME TABLE counter TO counter_old, counter_new TO counter",
        "DROP TABLE IF EXISTS nothing, counter_new",
        "CREATE OR REPLACE VIEW seen AS SELECT n FROM counter",
        "CREATE TRIGGER up BEFORE INSERT ON counter FOR EACH ROW BEGIN SET NEW.n = 1; END",
        "CREATE PROCEDURE run() BEGIN UPDATE counter SET n = 5; UPDATE counter SET n = 6; END",
        "ALTER TABLE counter ENGINE = InnoDB",
        "ANALYZE TABLE counter",
        "CREATE SEQUENCE numbers",
    ],
)
def test_it_is_found_out_whether_a_statement_ran(
    mariadb: Project, monkeypatch: pytest.MonkeyPatch, statement: str, before: bool
) -> None:
    up = f"""op.execute("UPDATE counter SET n = n + 1")
    op.execute("CREATE TABLE counter_new AS SELECT * FROM counter")
    op.execute({statement!r})
    op.execute("UPDATE counter SET n = n + 10")"""
    write(mariadb, "b1", "a0", up)
    assert cut_short(mariadb, monkeypatch, "upgrade", statement, before=before)
    mariadb.repository.upgrade()
    assert versions(mariadb) == ["b1"]
    assert ask(mariadb, "SELECT n FROM counter") == [(11,)]


def test_one_that_leaves_no_trace_is_for_a_person(
    mariadb: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    up = """op.execute("CREATE TABLE made AS SELECT * FROM counter")
    op.execute("TRUNCATE TABLE made")
    op.execute("INSERT INTO made VALUES (5)")"""
    write(mariadb, "b1", "a0", up)
    assert cut_short(mariadb, monkeypatch, "upgrade", "TRUNCATE", before=False)
    with pytest.raises(HalfAppliedError) as caught:
        mariadb.repository.upgrade()
    half = caught.value.half
    assert half.reason == "nobody knows whether statement 2 ran"
    assert half.in_doubt is not None and half.in_doubt.sql == "TRUNCATE TABLE made"
    assert half.rest == ("INSERT INTO made VALUES (5)",)
    assert "flask db resolve b1 --done 2" in caught.value.hint
    assert ask(mariadb, "SELECT * FROM made") == []
    mariadb.repository.resolve("b1", done=2)
    mariadb.repository.upgrade()
    assert ask(mariadb, "SELECT * FROM made") == [(5,)]


def test_one_that_leaves_no_trace_and_has_ended_is_done(mariadb: Project) -> None:
    up = """op.execute("CREATE TABLE made AS SELECT * FROM counter")
    op.execute("TRUNCATE TABLE made")
    op.execute("INSERT INTO made VALUES (5)")
    BREAK"""
    write(mariadb, "b1", "a0", up.replace("BREAK", 'op.execute("UPDATE nothing SET n = 1")'))
    assert mariadb.flask("upgrade").exit_code == 1
    assert journal(mariadb) == [(1, "done"), (2, "done")]
    write(mariadb, "b1", "a0", up.replace("BREAK", "pass"))
    assert mariadb.flask("upgrade").exit_code == 0
    assert ask(mariadb, "SELECT * FROM made") == [(5,)]


def test_one_that_the_database_refused_is_not_in_doubt(mariadb: Project) -> None:
    up = """op.execute("UPDATE counter SET n = n + 1")
    op.execute("TRUNCATE TABLE missing_one")"""
    write(mariadb, "b1", "a0", up)
    assert mariadb.flask("upgrade").exit_code == 1
    write(mariadb, "b1", "a0", up.replace("missing_one", "counter"))
    assert mariadb.flask("upgrade").exit_code == 0
    assert ask(mariadb, "SELECT * FROM counter") == []


def test_a_server_that_goes_away_in_the_middle(mariadb: Project) -> None:
    up = STEPS.replace("op.add_column", "op.execute(KILL)\n    op.add_column")
    kill = 'KILL = "KILL CONNECTION_ID()"\n    '
    write(mariadb, "b1", "a0", kill + up, BACK)
    result = mariadb.flask("upgrade")
    assert result.exit_code == 1
    assert "Whether statement 5 ran, the next run finds out:  flask db upgrade" in result.stderr
    write(mariadb, "b1", "a0", kill.replace("KILL C", "SELECT C") + up, BACK)
    assert mariadb.flask("upgrade").exit_code == 0
    check_state(mariadb, 111, "b1")


# ---- autocommit_block() ----------------------------------------------------------------------

ALONE = """op.execute("UPDATE counter SET n = n + 1")
    with op.get_context().autocommit_block():
        ALONE
    op.execute("UPDATE counter SET n = n + 100")"""


@pytest.fixture
def any_project(make_project: ProjectMaker, bind_url: str) -> Project:
    """A project on each database at a0, which has the table ``counter``."""
    project = make_project(bind_url)
    write(project, "a0", None, START)
    project.repository.upgrade()
    return project


@pytest.fixture
def postgresql(make_project: ProjectMaker, make_database: DatabaseMaker) -> Project:
    """A project on PostgreSQL at a0, which has the table ``counter`` and the type ``mood``."""
    project = make_project(make_database("postgresql"))
    write(project, "a0", None, f"op.execute(\"CREATE TYPE mood AS ENUM ('sad')\")\n    {START}")
    project.repository.upgrade()
    return project


def test_what_a_block_made_permanent_is_not_done_again(any_project: Project) -> None:
    up = ALONE.replace("ALONE", 'op.execute("UPDATE counter SET n = n + 10")') + "\n    BREAK"
    write(any_project, "b1", "a0", up.replace("BREAK", 'op.execute("UPDATE nothing SET n = 1")'))
    result = any_project.flask("upgrade")
    assert result.exit_code == 1
    assert "Statements 1 to 3 are noted" in result.stderr
    assert ask(any_project, "SELECT n FROM counter") == [(11,)]
    assert journal(any_project) == [(1, "done"), (2, "done")]
    write(any_project, "b1", "a0", up.replace("BREAK", "pass"))
    assert any_project.flask("upgrade").exit_code == 0
    assert ask(any_project, "SELECT n FROM counter") == [(111,)]
    assert "alembic_version_journal" not in any_project.tables()
    assert versions(any_project) == ["b1"]


def test_a_step_in_one_transaction_writes_nothing(
    any_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    if any_project.engine().dialect.name in ("mysql", "mariadb"):
        write(any_project, "b1", "a0", 'op.execute("UPDATE counter SET n = n + 1")')
    else:
        write(any_project, "b1", "a0", STEPS)
    written: list[Any] = []
    monkeypatch.setattr(JournalTable, "write", lambda self, entries: written.append(entries))
    any_project.repository.upgrade()
    assert versions(any_project) == ["b1"]
    assert written == []


def test_rows_that_were_changed_alone_are_for_a_person(
    any_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    statement = "UPDATE counter SET n = n + 10"
    write(any_project, "b1", "a0", ALONE.replace("ALONE", f"op.execute({statement!r})"))
    # SQLite's cursor cannot be watched: there the process ends before it notes that it is done.
    inner = JournalTable.write

    def write_row(self: JournalTable, entries: Any) -> None:
        if entries[-1].number == 2 and entries[-1].is_done:
            raise Killed
        inner(self, entries)

    with monkeypatch.context() as patch:
        patch.setattr(JournalTable, "write", write_row)
        with suppress(BaseException):  # what it meets on its way out is not of interest
            any_project.repository.upgrade()
    any_project.engine().dispose()
    assert ask(any_project, "SELECT n FROM counter") == [(11,)]
    assert journal(any_project) == [(1, "done"), (2, "started")]
    with pytest.raises(HalfAppliedError, match="nobody knows whether statement 2 ran"):
        any_project.repository.upgrade()
    any_project.repository.resolve("b1", done=2)
    any_project.repository.upgrade()
    assert ask(any_project, "SELECT n FROM counter") == [(111,)]
    assert "alembic_version_journal" not in any_project.tables()


def test_without_any_transaction(any_project: Project) -> None:
    repository = any_project.repository
    repository = replace(repository, policy=replace(repository.policy, transaction="none"))
    up = STEPS + "\n    BREAK"
    write(any_project, "b1", "a0", up.replace("BREAK", 'op.execute("UPDATE nothing SET n = 1")'))
    with pytest.raises(StepError):
        repository.upgrade()
    assert ask(any_project, "SELECT n FROM counter") == [(111,)]
    write(any_project, "b1", "a0", up.replace("BREAK", "pass"))
    repository.upgrade()
    check_state(any_project, 111, "b1")


# ---- PostgreSQL ------------------------------------------------------------------------------

CONCURRENTLY = 'op.create_index("ix_n", "counter", ["n"], postgresql_concurrently=True)'
PG_STEPS = f"""counter = sa.table("counter", sa.column("n", sa.Integer))
    op.execute("UPDATE counter SET n = n + 1")
    op.execute(sa.insert(counter).values(n=sa.literal(50) + 5))
    with op.get_context().autocommit_block():
        {CONCURRENTLY}
        op.execute("ALTER TYPE mood ADD VALUE 'it''s fine'")
        op.execute("VACUUM counter")
    op.execute("DELETE FROM counter WHERE n = 55")
    op.add_column("counter", sa.Column("extra", sa.Integer))
    with op.get_context().autocommit_block():
        op.execute("CREATE INDEX CONCURRENTLY ix_extra ON counter (extra)")
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_extra")
        op.execute("REINDEX INDEX CONCURRENTLY ix_n")
    op.execute("UPDATE counter SET n = n + 100")"""
PG_BACK = """op.execute("UPDATE counter SET n = n - 101")
    op.drop_column("counter", "extra")
    op.drop_index("ix_n")
    op.execute("DROP TYPE mood")
    op.execute("CREATE TYPE mood AS ENUM ('sad')")"""


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_killed_at_each_call_of_an_upgrade_that_leaves_its_transaction(
    postgresql: Project, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    write(postgresql, "b1", "a0", PG_STEPS, PG_BACK)
    at = 0
    while True:
        at += 1
        if not cut_short(postgresql, monkeypatch, "upgrade", at, before=before):
            break
        postgresql.repository.upgrade()
        assert versions(postgresql) == ["b1"], at
        assert ask(postgresql, "SELECT n, extra FROM counter") == [(101, None)], at
        assert postgresql.tables() == {"alembic_version", "counter"}
        assert index_state(postgresql) == [("ix_n", True)]
        labels = ask(postgresql, "SELECT enumlabel FROM pg_enum ORDER BY enumsortorder")
        assert labels == [("sad",), ("it's fine",)]
        postgresql.repository.downgrade()
    assert at > 30


def index_state(project: Project) -> list[Any]:
    """Return the indexes and whether they are valid."""
    found: list[Any] = ask(
        project,
        "SELECT c.relname, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
        "WHERE i.indrelid = 'counter'::regclass",
    )
    return found


def make_invalid(project: Project, table: str = "counter") -> None:
    """Leave what CREATE INDEX CONCURRENTLY leaves when it is cut short."""
    engine = project.engine()
    with engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.exec_driver_sql("INSERT INTO counter VALUES (7), (7)")
        if table != "counter":
            connection.exec_driver_sql(f"CREATE TABLE {table} AS SELECT * FROM counter")
        with pytest.raises(sa.exc.IntegrityError):
            connection.exec_driver_sql(f"CREATE UNIQUE INDEX CONCURRENTLY ix_n ON {table} (n)")
        connection.exec_driver_sql("DELETE FROM counter WHERE n = 7")


@pytest.mark.parametrize("text", ["", ", if_not_exists=True"], ids=["plain", "if not exists"])
def test_an_invalid_index_is_built_anew(postgresql: Project, text: str) -> None:
    make_invalid(postgresql)
    assert index_state(postgresql) == [("ix_n", False)]
    statement = CONCURRENTLY.replace("=True", f"=True{text}")
    write(postgresql, "b1", "a0", ALONE.replace("ALONE", statement))
    result = postgresql.flask("upgrade")
    assert result.exit_code == 0, result.stderr
    assert "The index public.ix_n is INVALID" in result.stderr
    assert "It is dropped and built anew." in result.stderr
    assert index_state(postgresql) == [("ix_n", True)]


def test_an_index_that_was_cut_short_in_its_making_is_built_anew(
    postgresql: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(postgresql, "b1", "a0", ALONE.replace("ALONE", CONCURRENTLY))
    assert cut_short(postgresql, monkeypatch, "upgrade", "INDEX CONCURRENTLY", before=True)
    assert journal(postgresql) == [(1, "done"), (2, "started")]
    make_invalid(postgresql)
    result = postgresql.flask("upgrade")
    assert result.exit_code == 0, result.stderr
    assert "It goes on with statement 2." in result.stderr
    assert "It is dropped and built anew." in result.stderr
    assert index_state(postgresql) == [("ix_n", True)]
    assert ask(postgresql, "SELECT n FROM counter") == [(101,)]


def test_an_index_that_is_refused_is_built_anew_when_the_rows_are_mended(
    postgresql: Project,
) -> None:
    unique = CONCURRENTLY.replace("=True", "=True, unique=True")
    write(postgresql, "b1", "a0", ALONE.replace("ALONE", unique))
    with postgresql.engine().begin() as connection:
        connection.exec_driver_sql("INSERT INTO counter VALUES (0)")
    result = postgresql.flask("upgrade")
    assert result.exit_code == 1
    assert "Statement 1 is noted" in result.stderr
    assert index_state(postgresql) == [("ix_n", False)]
    with postgresql.engine().begin() as connection:
        connection.exec_driver_sql(
            "UPDATE counter SET n = 5 WHERE ctid IN (SELECT min(ctid) FROM counter)"
        )
    assert postgresql.flask("upgrade").exit_code == 0
    assert index_state(postgresql) == [("ix_n", True)]


def test_an_invalid_index_of_another_table_is_named(postgresql: Project) -> None:
    make_invalid(postgresql, "other")
    write(postgresql, "b1", "a0", ALONE.replace("ALONE", CONCURRENTLY))
    result = postgresql.flask("upgrade")
    assert result.exit_code == 1
    assert "The index public.ix_n is of the table other, and is INVALID" in result.stderr
    assert "DROP INDEX CONCURRENTLY public.ix_n;" in result.stderr
    assert ask(postgresql, "SELECT 'public.ix_n'::regclass::text") == [("ix_n",)]


def test_an_index_that_is_being_built_is_left_alone(postgresql: Project) -> None:
    """Its builder waits for somebody who writes; the index is there and not valid yet."""
    url = postgresql.engine().url
    write(postgresql, "b1", "a0", ALONE.replace("ALONE", CONCURRENTLY))
    alone = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    thread = threading.Thread(target=lambda: build(alone))
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as writer:
        writer.exec_driver_sql("INSERT INTO counter VALUES (9)")
        thread.start()
        watch = "SELECT count(*) FROM pg_stat_progress_create_index WHERE phase LIKE 'waiting%%'"
        with alone.connect() as watcher:
            for _ in range(100):
                if watcher.exec_driver_sql(watch).scalar():
                    break
                time.sleep(0.05)
        result = postgresql.flask("upgrade")
        writer.rollback()
    thread.join()
    assert result.exit_code == 1
    assert "The index public.ix_n is being built by backend pid " in result.stderr
    assert index_state(postgresql) == [("ix_n", True)]


def build(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE INDEX CONCURRENTLY ix_n ON counter (n)")


def test_another_driver(make_project: ProjectMaker, make_database: DatabaseMaker) -> None:
    """psycopg2 has many rows in one statement, which SQLAlchemy puts together."""
    url = make_database("postgresql").replace("+psycopg:", "+psycopg2:")
    project = make_project(url)
    write(project, "a0", None, START)
    project.repository.upgrade()
    up = """counter = sa.table("counter", sa.column("n", sa.Integer))
    op.bulk_insert(counter, [{"n": n} for n in range(1000, 3500)])
    op.execute(sa.insert(counter).values(n=sa.literal(50) + 5))
    with op.get_context().autocommit_block():
        op.create_index("ix_n", "counter", ["n"], postgresql_concurrently=True)
    BREAK"""
    write(project, "b1", "a0", up.replace("BREAK", 'op.execute("UPDATE nothing SET n = 1")'))
    assert project.flask("upgrade").exit_code == 1
    assert ask(project, "SELECT count(*) FROM counter") == [(2502,)]
    write(project, "b1", "a0", up.replace("BREAK", "pass"))
    result = project.flask("upgrade")
    assert result.exit_code == 0, result.stderr
    assert ask(project, "SELECT count(*) FROM counter") == [(2502,)]
    assert project.tables() == {"alembic_version", "counter"}


# ---- other ways to run -----------------------------------------------------------------------

CUSTOM_ENV = """
from alembic import context
from flask import current_app

db = current_app.extensions["migrate"].db
with db.engine.{how}() as connection:
    context.configure(connection=connection, target_metadata=db.metadata)
    with context.begin_transaction():
        context.run_migrations()
"""


@pytest.mark.parametrize("how", ["connect", "begin"])
def test_under_an_env_py_of_somebody_s_own(mariadb: Project, how: str) -> None:
    (mariadb.path / "migrations" / "env.py").write_text(CUSTOM_ENV.format(how=how))
    write(mariadb, "b1", "a0", BROKEN, BACK)
    assert mariadb.flask("upgrade").exit_code == 1
    assert mariadb.flask("resolve", "b1").stdout.count("done: ") == 4
    write(mariadb, "b1", "a0", STEPS, BACK)
    result = mariadb.flask("upgrade")
    assert result.exit_code == 0, result.stderr
    check_state(mariadb, 111, "b1")
    # A transaction of env.py's own is not committed before its time, as DROP TABLE would.
    assert ("alembic_version_journal" in mariadb.tables()) is (how == "begin")
    (mariadb.path / "migrations" / "env.py").write_text(CUSTOM_ENV.format(how="connect"))
    mariadb.repository.downgrade()
    assert "alembic_version_journal" not in mariadb.tables()
    check_state(mariadb, 0, "a0")


def test_on_a_connection_that_is_given(mariadb: Project) -> None:
    write(mariadb, "b1", "a0", BROKEN, BACK)
    with mariadb.engine().connect() as connection, pytest.raises(StepError):
        mariadb.repository.upgrade(connection=connection)
    write(mariadb, "b1", "a0", STEPS, BACK)
    with mariadb.engine().connect() as connection:
        mariadb.repository.upgrade(connection=connection)
        connection.commit()
    check_state(mariadb, 111, "b1")


def test_two_binds_in_one_database(
    make_project: ProjectMaker, make_database: DatabaseMaker
) -> None:
    url = make_database("mariadb")
    project = make_project(url, binds={"logs": url}, models=define_user_and_log)
    write(project, "a0", None, START)
    project.repository.upgrade()
    logs = '\n\ndef upgrade_logs():\n    op.execute("UPDATE counter SET n = n + 1000")\n    {}\n'
    path = write(project, "b1", "a0", STEPS)
    text = path.read_text()
    path.write_text(text + logs.format('op.execute("ALTER TABLE nothing")'))
    assert project.flask("upgrade").exit_code == 1
    path.write_text(text + logs.format('op.execute("UPDATE counter SET n = n + 10000")'))
    result = project.flask("upgrade")
    assert result.exit_code == 0, result.stderr
    check_state(project, 11111, "b1")


def test_an_earlier_step_of_the_same_run_is_not_noted(mariadb: Project) -> None:
    write(mariadb, "c1", "b1", 'op.execute("ALTER TABLE nothing")')
    assert mariadb.flask("upgrade").exit_code == 1
    check = ask(mariadb, "SELECT DISTINCT revision FROM alembic_version_journal")
    assert check == [("c1",)]
    assert versions(mariadb) == ["b1"]


def test_a_real_process_is_killed(bind_url: str, tmp_path: Path) -> None:
    kind = sa.make_url(bind_url).get_backend_name()
    results = list(kill.rounds(kind, 2, tmp_path, seed=int(time.time())))
    assert [one.problems for one in results] == [[], []]
