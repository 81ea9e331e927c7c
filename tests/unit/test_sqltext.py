"""What a statement is, from its text; and statements for a person to read and to run."""

from __future__ import annotations

import datetime
import decimal
from typing import Any
from unittest import mock

import pytest
import sqlalchemy as sa

from flask_sakyum_migrate.upgrading import sqltext
from flask_sakyum_migrate.upgrading.driver import Driver
from flask_sakyum_migrate.upgrading.journal.concurrently import PostgreSQL
from flask_sakyum_migrate.upgrading.journal.fingerprints import MySQL, SQLite, targets_of
from flask_sakyum_migrate.upgrading.sqltext import Kind
from flask_sakyum_migrate.upgrading.statements import Statement

DAY = datetime.date(2026, 1, 2)
DIALECTS = {
    "mysql": sa.make_url("mysql+pymysql://").get_dialect()(),
    "postgresql": sa.make_url("postgresql+psycopg://").get_dialect()(),
    "sqlite": sa.make_url("sqlite://").get_dialect()(),
}


def server(name: str) -> Any:
    driver = mock.Mock(spec=Driver, dialect=DIALECTS[name])
    if name == "mysql":
        return MySQL(driver)
    return PostgreSQL(driver, print) if name == "postgresql" else SQLite(driver, "journal")


@pytest.mark.parametrize(
    ("dialect", "kind", "text"),
    [
        ("mysql", Kind.READ, "SELECT 1"),
        ("mysql", Kind.READ, "  (SELECT 1) UNION (SELECT 2)"),
        ("mysql", Kind.READ, "/* DROP TABLE t */ SELECT 1"),
        ("mysql", Kind.READ, "-- a comment; DROP TABLE t\nSELECT 1"),
        ("mysql", Kind.READ, "# a comment\nSHOW TABLES"),
        ("mysql", Kind.READ, "SELECT 'it\\'s; DROP TABLE t'"),
        ("mysql", Kind.READ, "WITH a AS (SELECT 1) SELECT * FROM a FOR UPDATE"),
        ("mysql", Kind.DML, "WITH a AS (SELECT 1) UPDATE t, a SET x = 1"),
        ("mysql", Kind.DML, "INSERT INTO `a;b` VALUES ('x; DROP TABLE t')"),
        ("mysql", Kind.DML, "LOAD DATA INFILE 'x' INTO TABLE t"),
        ("mysql", Kind.DML, "CREATE TEMPORARY TABLE t (id INT)"),
        ("mysql", Kind.DML, "CREATE OR REPLACE TEMPORARY TABLE t (id INT)"),
        ("mysql", Kind.DML, "DROP TEMPORARY TABLE t"),
        ("mysql", Kind.DDL, "LOAD INDEX INTO CACHE t"),
        ("mysql", Kind.DDL, "UPDATE t SET x = 1; ALTER TABLE t ADD y INT"),
        ("mysql", Kind.DDL, "CREATE PROCEDURE p() BEGIN SELECT 1; COMMIT; END"),
        ("mysql", Kind.DDL, "BEGIN NOT ATOMIC UPDATE t SET x = 1; END"),
        ("mysql", Kind.DDL, "/*!50003 CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET @a=1*/"),
        ("mysql", Kind.DDL, "CALL p()"),
        ("mysql", Kind.SESSION, "SET NAMES utf8"),
        ("mysql", Kind.SESSION, "SAVEPOINT sa_savepoint_1"),
        ("mysql", Kind.SESSION, "LOCK TABLES t WRITE"),
        ("postgresql", Kind.DML, "DO $$ BEGIN DROP TABLE t; END $$"),
        ("postgresql", Kind.DML, "WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a"),
        ("postgresql", Kind.DML, "SELECT * INTO copy FROM t"),
        ("postgresql", Kind.READ, "SELECT 'go into it' FROM t FOR NO KEY UPDATE"),
        ("postgresql", Kind.READ, "WITH a AS (SELECT 1) SELECT * FROM a FOR NO KEY UPDATE"),
        ("postgresql", Kind.READ, "SELECT 'C:\\' || 'x; DROP TABLE t'"),
        ("postgresql", Kind.DDL, "CREATE FUNCTION f() RETURNS int AS $x$ UPDATE t; $x$"),
        ("postgresql", Kind.SESSION, "SET lock_timeout = 0"),
        ("sqlite", Kind.SESSION, "PRAGMA foreign_keys=ON"),
        ("sqlite", Kind.DDL, "CREATE TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET x = 1; END"),
    ],
)  # fmt: skip
def test_what_a_statement_does(dialect: str, kind: Kind, text: str) -> None:
    assert server(dialect).kind(text) is kind


@pytest.mark.parametrize(
    ("dialect", "text", "commits"),
    [
        ("mysql", "LOCK TABLES t WRITE", True),
        ("mysql", "START TRANSACTION", True),
        ("mysql", "SET autocommit = 1", True),
        ("mysql", "SET NAMES utf8", False),
        ("mysql", "SAVEPOINT a", False),
        ("mysql", "ROLLBACK TO SAVEPOINT a", False),
        ("postgresql", "COMMIT", True),
        ("postgresql", "SET search_path = commit", False),
        ("sqlite", "COMMIT", True),
        ("sqlite", "PRAGMA foreign_keys", False),
    ],
)
def test_what_commits(dialect: str, text: str, commits: bool) -> None:
    assert server(dialect).commits(text) is commits


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        ("ALTER TABLE `a b` ADD COLUMN x INT", ["TABLE `a b`"]),
        ("alter ignore table s.t drop x", ["TABLE s.t"]),
        ("ALTER TABLE a RENAME TO b", ["TABLE a"]),
        ("CREATE TABLE IF NOT EXISTS t (id INT, INDEX ix (id))", ["TABLE t"]),
        ("CREATE TABLE t AS SELECT * FROM y FORCE INDEX FOR JOIN (a) JOIN z ON w", ["TABLE t"]),
        ("CREATE UNIQUE INDEX ix ON t (a)", ["TABLE t"]),
        ("CREATE INDEX `ix` USING BTREE ON `s`.`t` (a)", ["TABLE `s`.`t`"]),
        ("DROP INDEX IF EXISTS ix ON t", ["TABLE t"]),
        ("DROP TABLE IF EXISTS a, `b`.`c`", ["TABLE a", "TABLE `b`.`c`"]),
        ("RENAME TABLE a TO b, c TO a", ["TABLE b", "TABLE c"]),
        ("RENAME TABLE a TO tmp, b TO a, tmp TO b", []),
        ("RENAME TABLE a WAIT 5 TO b", ["TABLE a", "TABLE b"]),
        ("CREATE OR REPLACE DEFINER=`root`@`localhost` VIEW v AS SELECT * FROM t", ["VIEW v"]),
        ("CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET NEW.x = 1", ["TRIGGER g"]),
        ("DROP VIEW v, w", ["VIEW v", "VIEW w"]),
        ("CREATE FUNCTION f(x INT) RETURNS INT", ["FUNCTION f"]),
        ("TRUNCATE TABLE a", []),
        ("ALTER TABLE t EXCHANGE PARTITION p WITH TABLE u", []),
        ("ALTER TABLE t IMPORT TABLESPACE", []),
        ("CREATE USER 'x'", []),
        ("CREATE OR REPLACE TABLE t (id INT)", []),
    ],
)
def test_what_a_statement_changes(text: str, targets: list[str]) -> None:
    assert targets_of(text) == targets


def test_names() -> None:
    assert sqltext.unquoted('"A""b"', folds=True) == 'A"b'
    assert sqltext.unquoted("Ab", folds=True) == "ab"
    assert sqltext.unquoted("`A``b`") == "A`b"


def statement(dialect: str, text: str, parameters: Any = None, *, many: bool = False) -> Statement:
    context = mock.Mock(dialect=DIALECTS[dialect], compiled=None)
    return Statement(mock.Mock(), text, parameters, context, many)


@pytest.mark.parametrize(
    ("dialect", "text", "parameters", "expected"),
    [
        ("mysql", "SELECT '%%s' %% %s", ("it's",), "SELECT '%s' % 'it''s'"),
        ("mysql", "VALUES (%(a)s, %(b)s)", {"a": 1, "b": None}, "VALUES (1, NULL)"),
        ("mysql", "UPDATE t SET a = '?' WHERE b = %s", (2,), "UPDATE t SET a = '?' WHERE b = 2"),
        ("sqlite", "UPDATE t SET a = '?' WHERE b = ?", (True,), "UPDATE t SET a = '?' WHERE b = 1"),
        ("sqlite", "UPDATE t SET a = '100%'", None, "UPDATE t SET a = '100%'"),
        ("postgresql", "SELECT %(a)s::DATE, '\\'", {"a": DAY}, "SELECT '2026-01-02'::DATE, '\\'"),
        ("postgresql", "SELECT %(a)s", {"a": decimal.Decimal("1.50")}, "SELECT 1.50"),
        ("postgresql", "SELECT %(a)s", {"a": b"\xff"}, "SELECT '\\xff'"),
        ("mysql", "SELECT %s", (b"\xff",), "SELECT x'ff'"),
        ("postgresql", "SELECT %(a)s", {"a": [1]}, "SELECT /* list */ [1]"),
    ],
)  # fmt: skip
def test_a_statement_with_its_values(
    dialect: str, text: str, parameters: Any, expected: str
) -> None:
    assert statement(dialect, text, parameters).as_sql() == [expected]


def test_a_statement_for_many_rows() -> None:
    many = statement("sqlite", "INSERT INTO t VALUES (?)", [(1,), (2,)], many=True)
    assert many.as_sql() == ["INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (2)"]


def test_other_values_have_another_hash() -> None:
    digests = [
        statement("mysql", "INSERT INTO t VALUES (%s)", parameters).digest
        for parameters in (None, (1,), (2,), ("1",))
    ]
    assert len(set(digests)) == 4


def test_an_address_in_memory_is_no_value() -> None:
    class Value:
        pass

    one, other = (statement("mysql", "SELECT %s", (Value(),)) for _ in range(2))
    assert one.digest == other.digest
    assert one.digest != statement("mysql", "SELECT %s", (object(),)).digest


def test_long_statements_are_shortened_for_a_person() -> None:
    shown = statement("mysql", f"SELECT {'x' * 20_000}", ("y" * 5000,)).readable
    assert len(shown) < 10_500
    assert "(20007 characters)" in shown and "(5005 characters)" in shown
