"""Reading what SQLite keeps of its tables, indexes and triggers."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from flask_sakyum_migrate.runtime.sqlite_schema import (
    Database,
    event_of,
    qualified,
    quote,
    text_of,
    tokens_of,
    update_of,
)
from flask_sakyum_migrate.runtime.sqlite_table import read_table
from flask_sakyum_migrate.upgrading.sqlite.health import problems
from flask_sakyum_migrate.upgrading.sqlite.native import covers

COLUMNS = {
    "id INTEGER PRIMARY KEY AUTOINCREMENT": ["t: AUTOINCREMENT"],
    "id INTEGER, PRIMARY KEY (id AUTOINCREMENT)": ["t: AUTOINCREMENT"],
    "id INTEGER CONSTRAINT pk PRIMARY KEY ASC ON CONFLICT FAIL": [
        "t: PRIMARY KEY ON CONFLICT FAIL"
    ],
    "a VARCHAR(50) COLLATE NoCase NOT NULL": ["t.a: COLLATE NOCASE"],
    "a TEXT COLLATE BINARY NULL": [],
    "a VARCHAR (10, 2) NOT NULL ON CONFLICT IGNORE": ["t.a: NOT NULL ON CONFLICT IGNORE"],
    "a UNIQUE ON CONFLICT REPLACE": ["t: UNIQUE (a)", "t: UNIQUE (a) ON CONFLICT REPLACE"],
    "a UNIQUE ON CONFLICT ABORT": ["t: UNIQUE (a)"],
    "a, [b c], UNIQUE (`b c` COLLATE NOCASE, a DESC)": ["t: UNIQUE (b c COLLATE NOCASE, a DESC)"],
    "a, b, CHECK (a <> ')' AND b > (1)) ON CONFLICT FAIL": ["t: CHECK (a <> ')' AND b > (1))"],
    "a, CONSTRAINT x CHECK (a) CHECK (a > 1)": ["t: CHECK (a)", "t: CHECK (a > 1)"],
    "a -- CHECK (1), b COLLATE NOCASE\n, b /* UNIQUE */": [],
    "a DEFAULT (1 + 1), b DEFAULT -5, c DEFAULT 'x,)(', d DEFAULT NULL": [
        "t.a: DEFAULT 1 + 1",
        "t.b: DEFAULT -5",
        "t.c: DEFAULT 'x,)('",
        "t.d: DEFAULT NULL",
    ],
    "a REFERENCES p, b REFERENCES p (x) ON DELETE CASCADE ON UPDATE NO ACTION": [
        "t: FOREIGN KEY (b) ON DELETE CASCADE"
    ],
    "a, FOREIGN KEY (a) REFERENCES p MATCH FULL ON UPDATE SET NULL DEFERRABLE INITIALLY DEFERRED": [
        "t: FOREIGN KEY (a) ON UPDATE SET NULL DEFERRABLE INITIALLY DEFERRED"
    ],
    "a REFERENCES p NOT DEFERRABLE INITIALLY DEFERRED NOT NULL": [],
    "a, b GENERATED ALWAYS AS (a || ')') STORED, c AS (a)": [
        "t.b: GENERATED ALWAYS AS (a || ')') STORED",
        "t.c: GENERATED ALWAYS AS (a) VIRTUAL",
    ],
}


@pytest.mark.parametrize("columns", COLUMNS)
def test_what_a_table_says(columns: str) -> None:
    sql = f"CREATE TABLE t ({columns})"
    with closing(sqlite3.connect(":memory:")) as driver:
        driver.execute(sql)  # it is SQLite's own language
    clauses = [one for one in read_table(sql) if one.kind != "column"]
    assert [one.label("t") for one in clauses] == COLUMNS[columns]


def test_the_options_and_the_kind_of_a_table() -> None:
    assert [one.text for one in read_table("CREATE TABLE t (a INT) STRICT, WITHOUT ROWID")][1:] == [
        "STRICT",
        "WITHOUT ROWID",
    ]
    (virtual,) = read_table("CREATE VIRTUAL TABLE t USING fts5(a, content='b')")
    assert virtual.text == "VIRTUAL TABLE USING fts5"


def test_columns_are_renamed_and_nothing_else_is() -> None:
    sql = (
        "CREATE TABLE t (a INT CHECK (a(a) > 'a' AND CAST(a AS a) = t.a COLLATE a), "
        "UNIQUE (a), FOREIGN KEY (a) REFERENCES p (a) ON DELETE CASCADE)"
    )
    found = {one.kind: one for one in read_table(sql, {"a": "new a"})}
    assert found["CHECK"].value == (
        """a("new a") > 'a' AND CAST("new a" AS a) = t."new a" COLLATE a"""
    )
    assert found["UNIQUE"].columns == found["FOREIGN KEY"].columns == ("new a",)
    assert found["UNIQUE"].mentions == found["FOREIGN KEY"].mentions == {"a"}


def test_the_same_written_another_way_is_equal() -> None:
    one, other = (
        {clause.identity for clause in read_table(f"CREATE TABLE t ({text})")}
        for text in (
            'A INT CHECK ("a">0) REFERENCES p ON DELETE CASCADE, UNIQUE ([A])',
            "a INT UNIQUE, check ( A > 0 ), FOREIGN KEY (`a`) REFERENCES p(x) ON DELETE CASCADE",
        )
    )
    assert one == other


def test_names_and_text() -> None:
    tokens = tokens_of("""SELECT "a""b", `c``d`, [e f], 'g''h', x -- i\n FROM t""")
    assert [one.name for one in tokens if one.kind in ("quoted", "string")] == [
        'a"b',
        "c`d",
        "e f",
        "g'h",
    ]
    assert text_of(tokens).endswith("x FROM t")
    assert quote('a"b') == '"a""b"'


def test_triggers_and_indexes() -> None:
    trigger = "CREATE TRIGGER [update] AFTER UPDATE OF a, [b c] ON t BEGIN DELETE FROM x; END"
    assert (event_of(trigger), update_of(trigger)) == ("UPDATE", ["a", "b c"])
    assert event_of("CREATE TRIGGER x INSTEAD OF DELETE ON t BEGIN SELECT 1; END") == "DELETE"
    assert (
        update_of("CREATE TRIGGER x AFTER UPDATE ON t BEGIN UPDATE OR ABORT t SET a=1; END") == []
    )
    assert (
        qualified("CREATE UNIQUE INDEX ix ON t (a)", "o") == 'CREATE UNIQUE INDEX "o".ix ON t (a)'
    )
    assert covers("CREATE INDEX b ON b (a) WHERE c > 1", {"c"})
    assert not covers("CREATE INDEX b ON b (b(a)) WHERE a > 'b'", {"b"})


def test_statements_that_are_kept_compiled_are_compiled_anew() -> None:
    """A driver that keeps the statement of an EXPLAIN would give the answer of before."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as driver:
        database = Database(driver, sqlite3.Error)
        driver.execute("CREATE TABLE t (a, b)")
        driver.execute("CREATE VIEW v AS SELECT [a] FROM t")
        assert problems(database, "main") == {}
        driver.execute("PRAGMA legacy_alter_table=ON")
        driver.execute("DROP TABLE t")
        driver.execute("CREATE TABLE t (b)")
        assert problems(database, "main") == {"view v": "no such column: a"}
