"""Changes of tables on SQLite: without a copy where it can, and wherever a copy is made."""

from __future__ import annotations

import inspect
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.ddl.sqlite import SQLiteImpl
from sqlalchemy.pool import StaticPool

from tests.conftest import ProjectMaker
from tests.database.tables import (
    COLUMNS,
    ENVIRONMENTS,
    FILL,
    LOOSER,
    ROWS,
    STRICTER,
    TABLE,
    Tables,
    enforce,
    insert_fails,
)


@contextmanager
def statements(tables: Tables) -> Iterator[list[str]]:
    """Collect what is executed on the engine of the application."""
    engine, seen = tables.project.engine(), []

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        seen.append(" ".join(statement.split()))

    sa.event.listen(engine, "before_cursor_execute", note)
    yield seen
    sa.event.remove(engine, "before_cursor_execute", note)


def batch(*lines: str, more: str = "", table: str = "user") -> str:
    inner = "".join(f"    {line}\n" for line in lines)
    return f"with op.batch_alter_table({table!r}{more}) as batch_op:\n{inner}"


# ---- without a copy ------------------------------------------------------------------------------

SETUP = [
    f"CREATE TABLE user ({COLUMNS}, x INTEGER, y INTEGER UNIQUE, z INTEGER, "
    "boss INTEGER REFERENCES user (id), CHECK (z > 0))",
    FILL,
    "CREATE INDEX ix_name ON user (lower(name))",
    "CREATE VIEW names AS SELECT name FROM user",
    "CREATE TABLE log (n INTEGER, age TEXT)",
    "CREATE TRIGGER note AFTER UPDATE OF age ON user BEGIN INSERT INTO log (n) VALUES (1); END",
]
RENAME = 'batch_op.alter_column("name", new_column_name="full name")'
DROP = 'batch_op.drop_column("x")'
NATIVE = {
    "rename": [RENAME],
    "rename-with-what-autogenerate-writes": [
        'batch_op.alter_column("name", new_column_name="full name", existing_type=sa.String(50), '
        "existing_nullable=True, existing_server_default=None)"
    ],
    "rename-a-boolean": [
        'batch_op.alter_column("x", new_column_name="is_x", '
        'existing_type=sa.Boolean(create_constraint=True, name="ck_x"))'
    ],
    "rename-to-itself": ['batch_op.alter_column("x", new_column_name="x")'],
    "drop": [DROP],
    "add": ['batch_op.add_column(sa.Column("n", sa.Integer))'],
    "add-with-a-constant": [
        'batch_op.add_column(sa.Column("n", sa.Integer, server_default=sa.text("10"), '
        "nullable=False))",
        'batch_op.add_column(sa.Column("b", sa.Boolean, server_default=sa.false(), '
        "nullable=False))",
        """batch_op.add_column(sa.Column("t", sa.Text, server_default=sa.text("'a b'")))""",
    ],
    "all-of-it": [
        RENAME,
        'batch_op.add_column(sa.Column("n", sa.Integer))',
        DROP,
        'batch_op.create_index("ix_n", ["n", "full name"])',
    ],
    "drop-with-its-index": ['batch_op.drop_index("ix_name")', 'batch_op.drop_column("x")'],
    "drop-what-takes-the-name": [DROP, 'batch_op.add_column(sa.Column("x", sa.Text))'],
}
COPIED = {
    "nullable": ['batch_op.alter_column("x", existing_type=sa.Integer(), nullable=True)'],
    "rename-and-type": ['batch_op.alter_column("x", new_column_name="x2", type_=sa.Text())'],
    "rename-and-nullable": ['batch_op.alter_column("x", new_column_name="x2", nullable=True)'],
    "rename-and-autoincrement": [
        'batch_op.alter_column("x", new_column_name="x2", existing_autoincrement=True)'
    ],
    "drop-a-unique-column": ['batch_op.drop_column("y")'],
    "drop-a-foreign-key": ['batch_op.drop_column("boss")'],
    "drop-what-a-check-mentions": ['batch_op.drop_column("z")'],
    "rename-and-its-index-by-the-old-name": [RENAME, 'batch_op.create_index("ix", ["name"])'],
    "insert-after": [
        RENAME,
        'batch_op.add_column(sa.Column("n", sa.Integer), insert_after="id")',
    ],
    "add-with-an-expression": [
        'batch_op.add_column(sa.Column("n", sa.Text, server_default=sa.text("(1 + 1)")))'
    ],
    "add-stored-generated": [
        'batch_op.add_column(sa.Column("n", sa.Integer, sa.Computed("age * 2", persisted=True)))'
    ],
    "drop-that-may-be-missing": ['batch_op.drop_column("x", if_exists=True)'],
}
# Renamed in a copy, the column of the view is not found any more: what the rest says is done.
LOSES = 'may_lose = ["view names"]'


@pytest.mark.parametrize("kind", NATIVE)
def test_without_a_copy(tables: Tables, kind: str) -> None:
    tables.setup(*SETUP)
    before = tables.names("trigger") | tables.names("view")
    tables.revision(batch(*NATIVE[kind]))
    with statements(tables) as seen:
        tables.succeed("upgrade")
    assert not [one for one in seen if "_alembic_tmp" in one]
    assert tables.names("trigger") | tables.names("view") == before
    assert tables.ask("SELECT count(*) FROM names") == [(ROWS,)]
    assert insert_fails(tables, "INSERT INTO user (id, z) VALUES (500, -1)")
    if any(line == RENAME for line in NATIVE[kind]):
        assert 'lower("full name")' in tables.sql("ix_name")
        assert 'SELECT "full name" FROM user' in tables.sql("names")


@pytest.mark.parametrize("kind", COPIED)
def test_with_a_copy(tables: Tables, kind: str) -> None:
    tables.setup(*SETUP)
    tables.revision(batch(*COPIED[kind]), settings=LOSES)
    with statements(tables) as seen:
        tables.succeed("upgrade")
    assert [one for one in seen if "CREATE TABLE _alembic_tmp_user" in one]
    assert tables.ask("SELECT count(*) FROM user") == [(ROWS,)]
    assert "note" in tables.names("trigger")


DEPENDANTS = {
    "view": "CREATE VIEW v AS SELECT x FROM user",
    "trigger": "CREATE TRIGGER t AFTER UPDATE OF x ON user BEGIN SELECT 1; END",
    "trigger-elsewhere": "CREATE TRIGGER t AFTER INSERT ON log BEGIN UPDATE user SET x = 1; END",
    "index": "CREATE INDEX ix_x ON user (x)",
    "expression-index": "CREATE INDEX ix_x ON user (abs(x))",
    "partial-index": "CREATE INDEX ix_x ON user (age) WHERE x > 1",
    "foreign-key-elsewhere": "CREATE TABLE child (x INTEGER REFERENCES user (x))",
    "broken-view": "CREATE VIEW v AS SELECT a FROM nowhere",
}


@pytest.mark.parametrize("kind", DEPENDANTS)
def test_a_column_that_something_mentions_is_dropped_with_a_copy(tables: Tables, kind: str) -> None:
    tables.setup(*SETUP, DEPENDANTS[kind])
    tables.revision(batch(DROP), settings='may_lose = ["view v", "trigger t"]')
    with statements(tables) as seen:
        tables.succeed("upgrade")
    assert [one for one in seen if "CREATE TABLE _alembic_tmp_user" in one]
    assert "ix_x" not in tables.names("index")


def test_a_view_that_did_not_work_before_stops_nothing(tables: Tables) -> None:
    tables.setup(*SETUP, DEPENDANTS["broken-view"])
    tables.revision(STRICTER, LOOSER)
    tables.succeed("upgrade")
    tables.succeed("downgrade")
    assert "v" in tables.names("view")


def test_an_old_sqlite_copies(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    tables.setup(*SETUP[:4])
    tables.revision(batch(DROP))
    engine = tables.project.engine()
    monkeypatch.setattr(engine.dialect, "server_version_info", (3, 25, 0))
    with statements(tables) as seen:
        tables.succeed("upgrade")
    assert [one for one in seen if "CREATE TABLE _alembic_tmp_user" in one]


def test_the_names_of_alembic_that_this_stands_on() -> None:
    from alembic.operations.batch import ApplyBatchImpl, BatchOperationsImpl

    for name in ("requires_recreate_in_batch", "prep_table_for_batch", "rename_table"):
        assert callable(getattr(SQLiteImpl, name))
    assert ApplyBatchImpl._calc_temp_name("x" * 60) == "_alembic_tmp_" + "x" * 37
    source = inspect.getsource(ApplyBatchImpl)
    for name in ("new_table", "column_transfers", "named_constraints", "unnamed_constraints"):
        assert f"self.{name}" in source
    assert "self.batch" in inspect.getsource(BatchOperationsImpl)


def test_alembic_is_left_as_it_was(tables: Tables) -> None:
    """What is put around its methods is gone after each step, also after one that failed."""
    code = (
        "impl = op.get_context().impl\n"
        'assert "rename_table" in vars(impl)\n'
        "op.get_bind().engine.dialect.seen = impl\n"
    )
    tables.setup(*SETUP[:2])
    tables.revision(code)
    tables.revision('raise ValueError("no")')
    assert tables.project.flask("upgrade").exit_code == 1
    impl = tables.project.engine().dialect.seen  # type: ignore[attr-defined]
    assert (
        not {"rename_table", "requires_recreate_in_batch", "prep_table_for_batch"}
        & vars(impl).keys()
    )


# ---- wherever a copy is made ---------------------------------------------------------------------

KEEPS = [
    TABLE.replace("KEY", "KEY AUTOINCREMENT").replace("50)", "50) COLLATE NOCASE"),
    FILL,
    "CREATE TABLE log (n INTEGER)",
    "CREATE TRIGGER note AFTER DELETE ON user BEGIN INSERT INTO log VALUES (OLD.id); END",
    "CREATE UNIQUE INDEX ix ON user (lower(name))",
    "CREATE VIEW names AS SELECT name FROM user",
    "CREATE TABLE child (user_id INTEGER REFERENCES user (id) ON DELETE CASCADE)",
    "INSERT INTO child SELECT id FROM user",
]


def everything_is_there(tables: Tables) -> bool:
    assert tables.ask("SELECT count(*) FROM child JOIN user ON user_id = id") == [(ROWS,)]
    assert tables.ask("SELECT id FROM names JOIN user USING (name) WHERE name = 'USER 5'") == [(5,)]
    assert insert_fails(tables, "INSERT INTO user (name, age) VALUES ('USER 5', 1)")
    assert "AUTOINCREMENT" in tables.sql("user")
    return "note" in tables.names("trigger")


def up_down_up(tables: Tables, *args: str) -> None:
    for command in ("upgrade", "downgrade", "upgrade"):
        tables.succeed(command, *args, *(["r1"] if command == "downgrade" else []))
        assert everything_is_there(tables)


@pytest.mark.parametrize("env", ENVIRONMENTS)
@pytest.mark.parametrize("transaction", ["all", "per-revision", "none"])
def test_with_each_kind_of_transaction(tables: Tables, env: str, transaction: str) -> None:
    if env == "foreign-begun" and transaction == "none":
        return  # it is refused: env.py begins one
    if ENVIRONMENTS[env] is not None:
        (tables.project.path / "migrations" / "env.py").write_text(str(ENVIRONMENTS[env]))
    enforce(tables)
    tables.setup(*KEEPS)
    tables.revision(STRICTER, LOOSER)
    tables.revision(STRICTER + LOOSER + STRICTER, LOOSER + STRICTER)
    up_down_up(tables, "--transaction", transaction)
    with tables.project.engine().connect() as connection:  # as the application has it
        driver: Any = connection.connection.dbapi_connection
        assert driver.isolation_level == "" and not connection.info
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_recreated_always_with_an_order_of_columns(tables: Tables) -> None:
    tables.setup(*KEEPS)
    tables.revision(
        batch(
            'batch_op.add_column(sa.Column("n", sa.Integer), insert_after="id")',
            more=', recreate="always"',
        ),
        batch('batch_op.drop_column("n")', more=', recreate="always"'),
    )
    up_down_up(tables)
    assert [row[1] for row in tables.ask("PRAGMA table_info('user')")][:2] == ["id", "n"]


def test_names_with_spaces_and_quotes(tables: Tables) -> None:
    name = 'the "user" table'
    quoted = '"the ""user"" table"'
    tables.setup(
        f"CREATE TABLE {quoted} (id INTEGER PRIMARY KEY AUTOINCREMENT, [a b] TEXT COLLATE NOCASE, "
        "CHECK ([a b] <> ''))",
        f"INSERT INTO {quoted} VALUES (1, 'x'), (2, 'y')",
        "CREATE TABLE log (n INTEGER)",
        f"CREATE TRIGGER [a 'note'] AFTER INSERT ON {quoted} BEGIN INSERT INTO log VALUES (1); END",
        f'CREATE UNIQUE INDEX "i ""x""" ON {quoted} (lower(`a b`))',
        f"CREATE VIEW [a view] AS SELECT * FROM {quoted}",
    )
    before, rows = tables.everything(), tables.ask(f"SELECT * FROM {quoted}")
    change = 'batch_op.alter_column("a b", existing_type=sa.Text(), nullable={})'
    tables.revision(batch(change.format(False), table=name), batch(change.format(True), table=name))
    for command in ("upgrade", "downgrade", "upgrade"):
        tables.succeed(command)
        assert tables.ask(f"SELECT * FROM {quoted}") == rows
        assert insert_fails(tables, f"INSERT INTO {quoted} VALUES (5, 'X')")
        assert insert_fails(tables, f"INSERT INTO {quoted} VALUES (5, '')")
        for kind in ("trigger", "view", "index"):
            found = {row[1:] for row in tables.everything()[0] if row[0] == kind}
            assert found == {row[1:] for row in before[0] if row[0] == kind}
    tables.revision(batch('batch_op.alter_column("a b", new_column_name="c d")', table=name))
    tables.succeed("upgrade")


def test_in_a_database_that_is_attached(tables: Tables, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    engine = tables.project.engine()
    sa.event.listen(
        engine, "connect", lambda driver, _: driver.execute(f"ATTACH '{other}' AS other")
    )
    engine.dispose()
    tables.setup(
        "CREATE TABLE other.user (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT COLLATE NOCASE)",
        "INSERT INTO other.user VALUES (1, 'x')",
        "CREATE TABLE other.log (n INTEGER)",
        "CREATE TRIGGER other.note AFTER INSERT ON user BEGIN INSERT INTO log VALUES (1); END",
        "CREATE INDEX other.ix ON user (lower(name))",
    )
    change = 'batch_op.alter_column("name", existing_type=sa.Text(), nullable=False)'
    tables.revision(batch(change, more=', schema="other"'))
    tables.succeed("upgrade")
    with sqlite3.connect(other) as driver:
        found = driver.execute("SELECT type, name FROM sqlite_master ORDER BY 1, 2").fetchall()
        driver.execute("INSERT INTO user (name) VALUES ('y')")
        assert driver.execute("SELECT count(*) FROM log").fetchall() == [(1,)]
        assert driver.execute("SELECT id FROM user WHERE name = 'Y'").fetchall() == [(2,)]
    driver.close()
    assert found == [
        ("index", "ix"),
        ("table", "log"),
        ("table", "sqlite_sequence"),
        ("table", "user"),
        ("trigger", "note"),
    ]


@pytest.mark.parametrize("env", ["own", "foreign"])
def test_in_memory(make_project: ProjectMaker, env: str) -> None:
    tables = Tables(make_project("sqlite://"))
    assert isinstance(tables.project.engine().pool, StaticPool)
    if ENVIRONMENTS[env] is not None:
        (tables.project.path / "migrations" / "env.py").write_text(str(ENVIRONMENTS[env]))
    with tables.project.engine().connect() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys=ON")
    tables.setup(*KEEPS)
    tables.revision(STRICTER, LOOSER)
    up_down_up(tables)
    with tables.project.engine().connect() as connection:
        driver: Any = connection.connection.dbapi_connection
        assert driver.isolation_level == ""
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert not connection.info


def test_with_a_write_ahead_log(tables: Tables) -> None:
    tables.do("PRAGMA journal_mode=WAL")
    enforce(tables)
    tables.setup(*KEEPS)
    tables.revision(STRICTER, LOOSER)
    up_down_up(tables)
    assert tables.ask("PRAGMA journal_mode") == [("wal",)]


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_an_application_that_begins_its_transactions_itself(tables: Tables, env: str) -> None:
    """Its listeners are those of SQLAlchemy's documentation of the driver."""
    if ENVIRONMENTS[env] is not None:
        (tables.project.path / "migrations" / "env.py").write_text(str(ENVIRONMENTS[env]))
    engine = tables.project.engine()
    sa.event.listen(engine, "connect", lambda one, _: setattr(one, "isolation_level", None))
    sa.event.listen(engine, "begin", lambda one: one.exec_driver_sql("BEGIN"))
    enforce(tables)
    tables.setup(*KEEPS)
    tables.revision(STRICTER, LOOSER)
    if env == "foreign-begun":  # and it has begun before anybody could switch foreign keys off
        assert "the rows of child that refer to it would go too" in tables.refused("upgrade")
    else:
        up_down_up(tables)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sqlite3 has autocommit since Python 3.12")
@pytest.mark.parametrize("autocommit", [True, False])
@pytest.mark.parametrize("env", ["own", "foreign"])
def test_an_application_that_sets_autocommit(tables: Tables, env: str, autocommit: bool) -> None:
    if ENVIRONMENTS[env] is not None:
        (tables.project.path / "migrations" / "env.py").write_text(str(ENVIRONMENTS[env]))
    engine = tables.project.engine()
    sa.event.listen(engine, "connect", lambda one, _: setattr(one, "autocommit", autocommit))
    enforce(tables)
    tables.setup(*KEEPS)
    before = tables.everything()
    tables.revision(STRICTER, LOOSER)
    tables.revision('op.execute("INSERT INTO nowhere VALUES (1)")')
    assert tables.project.flask("upgrade", "--transaction", "all").exit_code == 1
    assert tables.everything() == before
    (tables.project.path / "migrations" / "versions" / f"{tables.last}.py").unlink()
    up_down_up(tables)


def test_a_failure_leaves_nothing_under_any_env_py(tables: Tables) -> None:
    tables.setup(*KEEPS)
    before = tables.everything()
    tables.revision(STRICTER + 'op.create_table("more", sa.Column("id", sa.Integer))')
    tables.revision('op.execute("INSERT INTO nowhere VALUES (1)")')
    for text in ENVIRONMENTS.values():
        if text is not None:
            (tables.project.path / "migrations" / "env.py").write_text(text)
        result = tables.project.flask("upgrade")
        assert result.exit_code == 1 and "no such table: nowhere" in result.stderr
        assert tables.everything() == before


@pytest.mark.parametrize("env", ENVIRONMENTS)
@pytest.mark.parametrize("transaction", ["all", "per-revision"])
def test_rows_whose_foreign_key_points_nowhere(tables: Tables, env: str, transaction: str) -> None:
    if ENVIRONMENTS[env] is not None:
        (tables.project.path / "migrations" / "env.py").write_text(str(ENVIRONMENTS[env]))
    enforce(tables)
    tables.setup(*KEEPS)
    before = tables.everything()
    tables.revision('op.execute("DELETE FROM user WHERE id = 7")')
    tables.revision("pass")
    result = tables.project.flask("upgrade", "--transaction", transaction, "--no-backup")
    assert result.exit_code == 1
    assert "1 rows would be left with a foreign key that points nowhere" in result.stderr
    assert tables.everything() == before


def test_the_connection_of_a_caller_with_foreign_keys_on(tables: Tables) -> None:
    enforce(tables)
    tables.setup(*KEEPS)
    tables.revision(STRICTER)
    before = tables.everything()
    with tables.project.app.app_context(), tables.project.engine().connect() as connection:
        with pytest.raises(Exception, match="the rows of child that refer to it would go too"):
            tables.project.repository.upgrade(connection=connection)
        connection.rollback()
    assert tables.everything() == before
    with tables.project.app.app_context(), tables.project.engine().connect() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        tables.project.repository.upgrade(connection=connection)
        connection.commit()
    tables.project.engine().dispose()
    assert everything_is_there(tables)


def test_rows_that_on_conflict_would_leave_out(tables: Tables) -> None:
    tables.setup(
        "CREATE TABLE user (id INTEGER PRIMARY KEY, name TEXT UNIQUE ON CONFLICT REPLACE)",
        "INSERT INTO user VALUES (1, 'a'), (2, 'A')",
    )
    tables.revision(batch('batch_op.alter_column("name", type_=sa.Text(collation="NOCASE"))'))
    assert "1 of 2 rows of user do not fit" in tables.refused("upgrade")


def test_the_revisions_own_rename_of_a_table(tables: Tables) -> None:
    """Its foreign keys, views and triggers follow: only a copy is renamed without a look."""
    tables.setup(*KEEPS)
    tables.revision(STRICTER + 'op.rename_table("user", "person")')
    tables.succeed("upgrade")
    assert 'REFERENCES "person"' in tables.sql("child")
    assert tables.ask("SELECT count(*) FROM names") == [(ROWS,)]
    assert tables.ask("PRAGMA legacy_alter_table") == [(0,)]


# ---- what older tools left -----------------------------------------------------------------------


def test_half_a_copy_is_dropped(tables: Tables) -> None:
    tables.setup(*KEEPS)
    tables.do("CREATE TABLE _alembic_tmp_user (id INTEGER)")
    tables.do("INSERT INTO _alembic_tmp_user VALUES (1)")
    tables.revision('raise ValueError("no")')
    assert tables.project.flask("upgrade").exit_code == 1
    assert tables.leftovers() == [("_alembic_tmp_user",), *tables.leftovers()[1:]]
    tables.last = "r1"
    tables.revision(STRICTER)
    said = tables.succeed("upgrade").stderr
    assert "Dropped _alembic_tmp_user, a copy that a run of before did not finish." in said
    assert everything_is_there(tables)


def test_all_that_is_left_of_a_table_is_not_dropped(tables: Tables) -> None:
    tables.setup(TABLE, FILL)
    tables.do("ALTER TABLE user RENAME TO _alembic_tmp_user")
    tables.revision("pass")
    before = tables.everything()
    result = tables.project.flask("upgrade")
    assert result.exit_code == 1 and tables.everything() == before
    line = next(line for line in result.stderr.splitlines() if "Give it its name back" in line)
    tables.do(line.partition("back:")[2].strip().rstrip(";"))
    tables.succeed("upgrade")
    assert tables.ask("SELECT count(*) FROM user") == [(ROWS,)]


def test_a_name_that_alembic_cuts_off(tables: Tables) -> None:
    name = "x" * 60
    tables.setup(f"CREATE TABLE {name} (id INTEGER)", f"INSERT INTO {name} VALUES (1)")
    tables.do(f"CREATE TABLE {f'_alembic_tmp_{name}'[:50]} (id INTEGER)")
    tables.revision("pass")
    tables.succeed("upgrade")
    assert tables.ask(f"SELECT count(*) FROM {name}") == [(1,)]
