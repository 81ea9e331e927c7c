"""Copies of a table on SQLite lose nothing in silence: what hangs on a table is kept or told."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa

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


@pytest.fixture(params=list(ENVIRONMENTS))
def anywhere(request: pytest.FixtureRequest, tables: Tables) -> Tables:
    """The project, once with each kind of env.py."""
    text = ENVIRONMENTS[request.param]
    if text is not None:
        (tables.project.path / "migrations" / "env.py").write_text(text)
    return tables


# ---- what is kept --------------------------------------------------------------------------------


def _trigger(tables: Tables) -> bool:
    before = len(tables.ask("SELECT * FROM log"))
    tables.do("UPDATE user SET age = age WHERE id = 7")
    return len(tables.ask("SELECT * FROM log")) == before + 1


def _sequence(tables: Tables) -> bool:
    """The id of a row that is gone is not given again."""
    ((last,),) = tables.ask("SELECT seq FROM sqlite_sequence WHERE name = 'user'")
    tables.do("INSERT INTO user (name, age) VALUES ('x', 1)")
    ((given,),) = tables.ask("SELECT max(id) FROM user")
    tables.do(f"DELETE FROM user WHERE id = {given}")
    return bool(last >= 150 and given == last + 1)


def _replaces(tables: Tables) -> bool:
    tables.do("INSERT INTO user (id, name, age) VALUES (999, 'User 5', 5)")
    replaced = tables.ask("SELECT id FROM user WHERE name = 'User 5'") == [(999,)]
    tables.do("UPDATE user SET id = 5 WHERE id = 999")
    return replaced


LOG = "CREATE TABLE log (n INTEGER)"
CHILD = "CREATE TABLE child (id INTEGER PRIMARY KEY, user_id INTEGER{})"
FOREIGN_KEY = ", FOREIGN KEY(user_id) REFERENCES user (id){}"
FILL_CHILD = "INSERT INTO child SELECT id, id FROM user"


def with_child(rule: str) -> list[str]:
    return [TABLE, FILL, CHILD.format(FOREIGN_KEY.format(rule)), FILL_CHILD]


def has_children(tables: Tables) -> bool:
    return tables.ask("SELECT count(user_id), min(user_id) FROM child") == [(ROWS, 1)]


def columns(more: str) -> list[str]:
    return [f"CREATE TABLE user ({more})", FILL]


Check = Callable[[Tables], bool]
KEPT: dict[str, tuple[list[str], Check]] = {
    "children-cascade": (with_child(" ON DELETE CASCADE"), has_children),
    "children-set-null": (with_child(" ON DELETE SET NULL"), has_children),
    "children-no-action": (with_child(""), has_children),
    "trigger": (
        [
            TABLE,
            FILL,
            LOG,
            "CREATE TRIGGER note AFTER UPDATE OF age ON user "
            "BEGIN INSERT INTO log VALUES (NEW.age); END",
        ],
        _trigger,
    ),
    "trigger-of-another-table": (
        [
            TABLE,
            FILL,
            LOG,
            "CREATE TRIGGER note AFTER INSERT ON log "
            "BEGIN UPDATE user SET age = 0 WHERE id = 0; END",
        ],
        lambda t: t.do("INSERT INTO log VALUES (1)") and "note" in t.names("trigger"),
    ),
    "expression-index": (
        [TABLE, FILL, "CREATE UNIQUE INDEX ix_lower ON user (lower(name))"],
        lambda t: insert_fails(t, "INSERT INTO user VALUES (500, 'USER 5', 5)"),
    ),
    "partial-index": (
        [TABLE, FILL, "CREATE UNIQUE INDEX ix_old ON user (name) WHERE age > 50"],
        lambda t: insert_fails(t, "INSERT INTO user VALUES (500, 'User 60', 60)"),
    ),
    "index-desc-collate": (
        [TABLE, FILL, "CREATE INDEX ix_name ON user (name COLLATE NOCASE DESC, age)"],
        lambda t: "(name COLLATE NOCASE DESC, age)" in t.sql("ix_name"),
    ),
    "view": (
        [
            TABLE,
            FILL,
            "CREATE VIEW adults AS SELECT name FROM user WHERE age >= 18",
            "CREATE VIEW names AS SELECT upper(name) FROM adults",
        ],
        lambda t: t.ask("SELECT count(*) FROM names") == [(ROWS - 17,)],
    ),
    "trigger-of-a-view": (
        [
            TABLE,
            FILL,
            "CREATE VIEW ages AS SELECT id, age FROM user",
            "CREATE TRIGGER change INSTEAD OF UPDATE ON ages "
            "BEGIN UPDATE user SET age = NEW.age WHERE id = OLD.id; END",
        ],
        lambda t: (
            t.do("UPDATE ages SET age = 77 WHERE id = 7")
            and t.ask("SELECT age FROM user WHERE id = 7") == [(77,)]
        ),
    ),
    "unnamed-check": (
        columns(COLUMNS + " CHECK (age < 1000 AND name <> ',)('), CHECK (id + age > 0)"),
        lambda t: (
            insert_fails(t, "INSERT INTO user VALUES (500, 'x', 2000)")
            and insert_fails(t, "INSERT INTO user VALUES (500, ',)(', 2)")
            and insert_fails(t, "INSERT INTO user VALUES (500, 'x', -500)")
        ),
    ),
    "autoincrement": (
        [
            *columns("id INTEGER PRIMARY KEY AUTOINCREMENT, name VARCHAR(50), age INTEGER"),
            "INSERT INTO user VALUES (150, 'gone', 1)",
            "DELETE FROM user WHERE id = 150",
        ],
        _sequence,
    ),
    "collate": (
        columns("id INTEGER PRIMARY KEY, name VARCHAR(50) COLLATE NOCASE, age INTEGER"),
        lambda t: t.ask("SELECT id FROM user WHERE name = 'USER 5'") == [(5,)],
    ),
    "unique-on-conflict": (
        columns("id INTEGER PRIMARY KEY, name VARCHAR(50) UNIQUE ON CONFLICT REPLACE, age INTEGER"),
        _replaces,
    ),
    "table-unique-on-conflict": (
        columns(COLUMNS + ", CONSTRAINT one UNIQUE (name, age) ON CONFLICT REPLACE"),
        _replaces,
    ),
    "not-null-on-conflict": (
        columns(
            "id INTEGER PRIMARY KEY, name VARCHAR(50) NOT NULL ON CONFLICT IGNORE, age INTEGER"
        ),
        lambda t: (
            t.do("INSERT INTO user VALUES (500, NULL, 2)")
            and t.ask("SELECT * FROM user WHERE id = 500") == []
        ),
    ),
    "primary-key-on-conflict": (
        columns("id INTEGER PRIMARY KEY ON CONFLICT IGNORE, name VARCHAR(50), age INTEGER"),
        lambda t: (
            t.do("INSERT INTO user VALUES (5, 'other', 5)")
            and t.ask("SELECT name FROM user WHERE id = 5") == [("User 5",)]
        ),
    ),
    "generated": (
        columns(
            COLUMNS + ", twice INTEGER GENERATED ALWAYS AS (age * 2) STORED, "
            "loud VARCHAR(50) AS (upper(name))"
        ),
        lambda t: t.ask("SELECT twice, loud FROM user WHERE id = 7") == [(14, "USER 7")],
    ),
    "named-check": (
        columns(COLUMNS + ", CONSTRAINT ck_age CHECK (age < 1000)"),
        lambda t: insert_fails(t, "INSERT INTO user VALUES (500, 'x', 2000)"),
    ),
    "named-check-in-one-line-with-another": (
        columns(
            "id INTEGER PRIMARY KEY, name VARCHAR(50) CONSTRAINT ck_name CHECK (name <> ''), "
            "age INTEGER CHECK (age < 1000)"
        ),
        lambda t: (
            insert_fails(t, "INSERT INTO user VALUES (500, '', 2)")
            and insert_fails(t, "INSERT INTO user VALUES (500, 'x', 2000)")
        ),
    ),
    "unnamed-unique": (
        columns(COLUMNS + ", UNIQUE (name)"),
        lambda t: insert_fails(t, "INSERT INTO user VALUES (500, 'User 5', 2)"),
    ),
    "unique-behind-a-length": (
        columns("id INTEGER PRIMARY KEY, name VARCHAR(50) NOT NULL UNIQUE, age INTEGER"),
        lambda t: insert_fails(t, "INSERT INTO user VALUES (500, 'User 5', 2)"),
    ),
    "inline-foreign-key": (
        [
            *columns(COLUMNS + ", boss INTEGER REFERENCES user (id) ON DELETE SET NULL"),
            "UPDATE user SET boss = 1 WHERE id = 2",
        ],
        lambda t: (
            [row[6] for row in t.ask("PRAGMA foreign_key_list('user')")] == ["SET NULL"]
            and t.ask("SELECT boss FROM user WHERE id = 2") == [(1,)]
        ),
    ),
    "deferred-foreign-key": (
        columns(
            COLUMNS + ", boss INTEGER REFERENCES user ON UPDATE CASCADE "
            "DEFERRABLE INITIALLY DEFERRED"
        ),
        lambda t: (
            [row[5] for row in t.ask("PRAGMA foreign_key_list('user')")] == ["CASCADE"]
            and "DEFERRABLE INITIALLY DEFERRED" in t.sql("user")
        ),
    ),
    "expression-default": (
        columns(COLUMNS + ", code TEXT DEFAULT (lower('ABC')), n INTEGER DEFAULT -5"),
        lambda t: t.ask("SELECT DISTINCT code, n FROM user") == [("abc", -5)],
    ),
    "without-rowid": (
        [f"{TABLE} WITHOUT ROWID", FILL],
        lambda t: t.ask("SELECT wr FROM pragma_table_list('user')") == [(1,)],
    ),
}


@pytest.mark.parametrize("kind", KEPT)
def test_it_is_kept(anywhere: Tables, kind: str) -> None:
    tables = anywhere
    statements, check = KEPT[kind]
    enforce(tables)
    tables.setup(*statements)
    assert check(tables)
    tables.revision(STRICTER, LOOSER)
    for args in (["upgrade"], ["downgrade", "r1"], ["upgrade"]):
        tables.succeed(*args)
        assert check(tables), args
        assert tables.ask("SELECT count(*), min(id), max(id) FROM user") == [(ROWS, 1, ROWS)]
        assert tables.ask(
            "SELECT \"notnull\" FROM pragma_table_info('user') WHERE name = 'age'"
        ) == [(args == ["upgrade"],)]
    assert tables.ask("PRAGMA foreign_keys") == [(1,)]


def test_strict_is_kept_or_told(tables: Tables) -> None:
    """SQLAlchemy can write STRICT since 2.0.37."""
    tables.setup(f"{TABLE.replace('VARCHAR(50)', 'TEXT')} STRICT", FILL)
    tables.revision(STRICTER, LOOSER)
    if "strict" in sa.Table("t", sa.MetaData()).dialect_options["sqlite"]:
        tables.succeed("upgrade")
        assert tables.ask("SELECT strict FROM pragma_table_list('user')") == [(1,)]
    else:
        assert "user: STRICT" in tables.refused("upgrade")


# ---- what the revision itself drops --------------------------------------------------------------


def batch(*lines: str, more: str = "") -> str:
    inner = "".join(f"    {line}\n" for line in lines)
    return f'with op.batch_alter_table("user"{more}) as batch_op:\n{inner}'


AGE = 'batch_op.alter_column("age", existing_type=sa.Integer(), nullable=False)'
NOTE = "CREATE TRIGGER note AFTER DELETE ON user BEGIN INSERT INTO log VALUES (1); END"
SETUP = [
    f"CREATE TABLE user ({COLUMNS}, x INTEGER, UNIQUE (name), CONSTRAINT ck CHECK (age > 0))",
    FILL,
    "CREATE TABLE log (n INTEGER)",
    NOTE,
    "CREATE INDEX ix_lower ON user (lower(name))",
    "CREATE INDEX ix_age ON user (age DESC)",
    "CREATE INDEX ix_x ON user (age, x) WHERE x > 0",
]
DROPS = {
    "trigger-before": (f'op.execute("DROP TRIGGER note")\n{STRICTER}', "note"),
    "trigger-after": (f'{STRICTER}\nop.execute("DROP TRIGGER note")', "note"),
    "expression-index-before": (f'op.execute("DROP INDEX ix_lower")\n{STRICTER}', "ix_lower"),
    "expression-index-after": (f'{STRICTER}\nop.execute("DROP INDEX ix_lower")', "ix_lower"),
    "index-in-the-batch": (batch(AGE, 'batch_op.drop_index("ix_age")'), "ix_age"),
    "index-after": (f'{STRICTER}\nop.drop_index("ix_age")', "ix_age"),
    "column-under-an-index": (batch(AGE, 'batch_op.drop_column("x")'), "ix_x"),
}


@pytest.mark.parametrize("kind", DROPS)
def test_what_the_revision_drops_stays_dropped(anywhere: Tables, kind: str) -> None:
    code, dropped = DROPS[kind]
    anywhere.setup(*SETUP)
    before = anywhere.names("index") | anywhere.names("trigger")
    anywhere.revision(code)
    anywhere.succeed("upgrade")
    assert anywhere.names("index") | anywhere.names("trigger") == before - {dropped}
    assert anywhere.ask("SELECT count(*) FROM user") == [(ROWS,)]


def test_constraints_that_the_batch_drops_stay_dropped(tables: Tables) -> None:
    tables.setup(*SETUP)
    convention = ', naming_convention={"uq": "uq_%(table_name)s_%(column_0_name)s"}'
    tables.revision(
        batch(
            'batch_op.drop_constraint("ck", type_="check")',
            'batch_op.drop_constraint("uq_user_name", type_="unique")',
            more=convention,
        )
    )
    tables.succeed("upgrade")
    tables.do("INSERT INTO user VALUES (500, 'User 5', -1, 0)")


@pytest.mark.parametrize("dropped", [True, False])
def test_a_constraint_that_copy_from_has_another_way(tables: Tables, dropped: bool) -> None:
    tables.setup(f"CREATE TABLE user ({COLUMNS}, UNIQUE (name COLLATE NOCASE))", FILL)
    known = (
        ', copy_from=sa.Table("user", sa.MetaData(), sa.Column("id", sa.Integer, '
        'primary_key=True), sa.Column("name", sa.String(50)), sa.Column("age", sa.Integer), '
        'sa.UniqueConstraint("name", name="uq"))'
    )
    drop = ['batch_op.drop_constraint("uq", type_="unique")'] if dropped else []
    tables.revision(batch(AGE, *drop, more=known))
    if dropped:
        tables.succeed("upgrade")
        tables.do("INSERT INTO user VALUES (500, 'User 5', 5)")
    else:
        assert "user: UNIQUE (name COLLATE NOCASE)" in tables.refused("upgrade")


def test_what_the_batch_drops_and_makes_anew_is_the_new_one(tables: Tables) -> None:
    tables.setup(*SETUP)
    tables.revision(
        batch(
            AGE,
            'batch_op.drop_index("ix_age")',
            'batch_op.create_index("ix_age", ["age", "name"])',
            'batch_op.drop_constraint("ck", type_="check")',
            'batch_op.create_check_constraint("ck", "age > -10")',
        )
    )
    tables.succeed("upgrade")
    assert tables.sql("ix_age") == "CREATE INDEX ix_age ON user (age, name)"
    tables.do("INSERT INTO user VALUES (500, 'x', -1, 0)")
    assert insert_fails(tables, "INSERT INTO user VALUES (501, 'y', -11, 0)")


def test_a_column_that_is_renamed_on_the_way_is_renamed_everywhere(tables: Tables) -> None:
    tables.setup(
        f"CREATE TABLE user ({COLUMNS} CHECK (age < 1000), twice INTEGER AS (age * 2), "
        "CONSTRAINT ck CHECK (age > 0), UNIQUE (name, age) ON CONFLICT REPLACE)",
        FILL,
        "CREATE INDEX ix ON user (abs(age), name COLLATE NOCASE) WHERE age > 5",
    )
    tables.revision(
        batch('batch_op.alter_column("age", new_column_name="the age", nullable=False)')
    )
    tables.succeed("upgrade")
    assert tables.ask('SELECT sum("the age"), sum(twice) FROM user') == [(5050, 10100)]
    assert 'abs("the age"), name COLLATE NOCASE) WHERE "the age" > 5' in tables.sql("ix")
    assert insert_fails(tables, "INSERT INTO user (id, name, \"the age\") VALUES (500, 'x', -1)")
    assert insert_fails(tables, "INSERT INTO user (id, name, \"the age\") VALUES (500, 'x', 1000)")


# ---- what is refused, and what the message says works --------------------------------------------

REFUSED = {
    "collate-with-another-type": (
        [f"CREATE TABLE user ({COLUMNS.replace('VARCHAR(50)', 'TEXT COLLATE NOCASE')})", FILL],
        batch('batch_op.alter_column("name", type_=sa.String(80))'),
        "user.name: COLLATE NOCASE",
        batch('batch_op.alter_column("name", type_=sa.String(80, collation="NOCASE"))'),
    ),
    "check-with-another-type": (
        [f"CREATE TABLE user ({COLUMNS}, CHECK (age > 0))", FILL],
        batch('batch_op.alter_column("age", type_=sa.Numeric())'),
        "user: CHECK (age > 0)",
        batch(
            'batch_op.alter_column("age", type_=sa.Numeric())',
            more=', table_args=[sa.CheckConstraint("age > 0", name="ck_age")]',
        ),
    ),
    "fewer-checks-than-there-were": (
        [f"CREATE TABLE user ({COLUMNS}, CHECK (age > 0), CHECK (id > 0))", FILL],
        batch(AGE, more=', table_args=[sa.CheckConstraint("age >= 0", name="ck_age")]'),
        "user: CHECK (age > 0)",
        batch(
            AGE,
            more=', table_args=[sa.CheckConstraint("age >= 0", name="a"), '
            'sa.CheckConstraint("id > 0", name="b")]',
        ),
    ),
    "autoincrement-with-another-type": (
        [f"CREATE TABLE user ({COLUMNS.replace('KEY', 'KEY AUTOINCREMENT')})", FILL],
        batch('batch_op.alter_column("id", type_=sa.BigInteger())'),
        "user: AUTOINCREMENT",
        None,
    ),
    "unique-collate": (
        [f"CREATE TABLE user ({COLUMNS}, UNIQUE (name COLLATE NOCASE))", FILL],
        STRICTER,
        "user: UNIQUE (name COLLATE NOCASE)",
        None,
    ),
    "copy-from-without-a-column": (
        [TABLE, FILL],
        batch(
            AGE,
            more=', copy_from=sa.Table("user", sa.MetaData(), '
            'sa.Column("id", sa.Integer, primary_key=True), sa.Column("age", sa.Integer))',
        ),
        "user.name: column",
        None,
    ),
    "virtual-table": (
        ["CREATE VIRTUAL TABLE user USING fts5(name, age)", "INSERT INTO user VALUES ('a', 'b')"],
        batch('batch_op.alter_column("age", existing_type=sa.Text(), nullable=False)'),
        "user: VIRTUAL TABLE USING fts5",
        """
op.execute("CREATE VIRTUAL TABLE other USING fts5(name, age)")
op.execute("INSERT INTO other SELECT * FROM user")
op.drop_table("user")
op.rename_table("other", "user")
""",
    ),
    "trigger-on-a-column-that-goes": (
        [
            TABLE,
            FILL,
            "CREATE TABLE log (n INTEGER)",
            "CREATE TRIGGER fine AFTER UPDATE ON user BEGIN INSERT INTO log VALUES (1); END",
            "CREATE TRIGGER note AFTER UPDATE ON user BEGIN INSERT INTO log VALUES (NEW.age); END",
        ],
        batch('batch_op.drop_column("age")'),
        "trigger note",
        'op.execute("DROP TRIGGER note")\n' + batch('batch_op.drop_column("age")'),
    ),
    "trigger-of-a-column-that-goes": (
        [
            TABLE,
            FILL,
            "CREATE TABLE log (n INTEGER)",
            "CREATE TRIGGER note AFTER UPDATE OF age ON user BEGIN INSERT INTO log VALUES (1); END",
        ],
        batch('batch_op.drop_column("age")'),
        "trigger note",
        None,
    ),
    "trigger-elsewhere-on-a-column-that-goes": (
        [
            TABLE,
            FILL,
            "CREATE TABLE log (n INTEGER)",
            "CREATE TRIGGER note AFTER INSERT ON log BEGIN UPDATE user SET age = NEW.n; END",
        ],
        batch('batch_op.drop_column("age")'),
        "trigger note",
        None,
    ),
    "view-on-a-column-that-goes": (
        [TABLE, FILL, "CREATE VIEW ages AS SELECT age FROM user", "CREATE VIEW a2 AS SELECT 1"],
        batch('batch_op.drop_column("age")'),
        "view ages",
        batch('batch_op.drop_column("age")')
        + 'op.execute("DROP VIEW ages")\nop.execute("CREATE VIEW ages AS SELECT 1 AS age")',
    ),
    "trigger-with-the-name-in-double-quotes": (
        [
            TABLE,
            FILL,
            "CREATE TABLE log (n INTEGER)",
            "CREATE TRIGGER note AFTER DELETE ON log "
            """BEGIN INSERT INTO log SELECT "age" FROM user; END""",
        ],
        batch('batch_op.drop_column("age")'),
        "trigger note",
        None,
    ),
    "view-with-the-name-in-double-quotes": (
        [TABLE, FILL, """CREATE VIEW ages AS SELECT id, "age" FROM user"""],
        batch('batch_op.drop_column("age")'),
        "view ages",
        None,
    ),
}


WAYS = [
    (kind, then)
    for kind, case in REFUSED.items()
    # Some have no way within the batch; a virtual table is no table to make a copy of.
    for then in (["kept"] if case[3] else []) + (["lost"] if kind != "virtual-table" else [])
]


@pytest.mark.parametrize(("kind", "then"), WAYS)
def test_it_is_refused_unless_it_may_be_lost(anywhere: Tables, kind: str, then: str) -> None:
    statements, code, label, kept = REFUSED[kind]
    anywhere.setup(*statements)
    rows = anywhere.ask("SELECT * FROM user")
    anywhere.revision(code)
    said = anywhere.refused("upgrade")
    assert label in said and "r2.py" in said and "upgrade of r2 (change 2)" in said
    assert "The whole run was rolled back." in said
    (line,) = [line for line in said.splitlines() if "may_lose" in line]
    settings = line[line.index("may_lose") :]
    assert label in settings
    anywhere.last = "r1"
    if then == "kept":
        assert kept is not None
        anywhere.revision(kept)
    else:
        anywhere.revision(code, settings=settings)
    anywhere.succeed("upgrade")
    assert anywhere.ask("SELECT count(*) FROM user") == [(len(rows),)]
