"""Types that only one kind of database has: into itself exactly, elsewhere exactly or refused."""

from __future__ import annotations

import io
from typing import Any

import pytest

from flask_sakyum_migrate.errors import DataError
from tests.conftest import DatabaseMaker, Project, ProjectMaker

POSTGRESQL = {
    "smallint": "'-32768'",
    "real": "'1.1'",
    "real ": "'NaN'",
    "double precision": "'-Infinity'",
    "numeric": "'123456789012345678901234567890.000000000000000000001'",
    "numeric ": "'NaN'",
    "numeric(10,4)": "'-0.0500'",
    "date": "'0044-03-15 BC'",
    "date ": "'infinity'",
    "timestamp": "'9999-12-31 23:59:59.999999'",
    "timestamp ": "'0001-01-01 00:00:00 BC'",
    "timestamptz": "'2024-03-31 02:30:00.5+05:30'",
    "timestamptz ": "'-infinity'",
    "timestamp(3)": "'2024-02-29 12:00:00.123'",
    "time": "'24:00:00'",
    "timetz": "'12:30:00.25-08'",
    "interval": "'1 year 2 months -3 days 04:05:06.789'",
    "bytea": r"'\x00ff5c27'",
    "uuid": "'00000000-0000-0000-0000-000000000001'",
    "json": """'{"b":1, "a": 1.0, "a": 2}'""",
    "jsonb": """'[1e400, "\\u00e4\\\\n", null]'""",
    "boolean": "true",
    "char(5)": "'ab'",
    "varchar": r"E'tab\t newline\n backslash\\ \\N quote''\" \u2028'",
    "bit(5)": "B'10101'",
    "varbit": "B'1'",
    "inet": "'::1/64'",
    "macaddr": "'08:00:2b:01:02:03'",
    "int4range": "'[1,10)'",
    "point": "'(0.1,-2)'",
    "money": "'12.34'",
    "xml": "'<a>&amp;</a>'",
    "tsvector": "'a:1 b:2'",
    "integer[]": "'{1,NULL,3}'",
    "integer[] ": "'{{1,2},{3,4}}'",
    "integer[]  ": "'{}'",
    "text[]": r"""E'{"a,b","c\\\\d","say \\"hi\\"",NULL,"NULL",""}'""",
    "numeric[]": "'{1.10,NaN}'",
    "double precision[]": "'{0.1,-Infinity}'",
    "timestamptz[]": """'{"2024-01-01 00:00:00+00"}'""",
    "bytea[]": r"""E'{"\\\\x00ff"}'""",
    "boolean[]": "'{t,f}'",
    "uuid[]": "'{00000000-0000-0000-0000-000000000001}'",
    "jsonb[]": """E'{"{\\\\"a\\\\": [1, 2]}"}'""",
    "mood": "'sa''d'",
    "mood[]": """'{"sa''d",glad}'""",
    "small": "'7'",
}
MARIADB = {
    "tinyint": "-128",
    "bigint unsigned": "18446744073709551615",
    "float": "0.1",
    "double": "1.7976931348623157e308",
    "decimal(65,30)": "'12345678901234567890123456789012345.123456789012345678901234567890'",
    "year": "2155",
    "bit(10)": "b'1010101010'",
    "bit(64)": "18446744073709551615",
    "date": "'9999-12-31'",
    "datetime": "'1000-01-01 00:00:00'",
    "datetime(3)": "'2024-02-29 12:00:00.123'",
    "timestamp(6) null": "'2037-12-31 23:59:59.999999'",
    "time(6)": "'-838:59:58.999999'",
    "time": "'12:30:00'",
    "char(5)": "'ab'",
    "varchar(200)": r"'tab\t newline\n backslash\\ quote\'\" NUL\0'",
    "mediumtext": "'äß中🙂'",
    "varbinary(8)": "x'00FF5C27'",
    "binary(4)": "x'01'",
    "longblob": "x''",
    "json": """'{"b":1, "a": 1.0}'""",
    "enum('a','it''s')": "'it''s'",
    "set('a','b','c')": "'a,c'",
    "uuid": "'00000000-0000-0000-0000-000000000001'",
    "inet6": "'::1'",
}
SQLITE = {
    "INTEGER": "-9223372036854775808",
    "TEXT": "char(0, 10, 128578)",
    "REAL": "9e999",
    "REAL ": "0.1",
    "BLOB": "x'00ff'",
    "NUMERIC": "0.1",
    "ANYTHING": "12.5",
    "ANYTHING ": "x'00'",
    "STRING": "'text'",
    "DATETIME": "'2024-02-29 12:00:00.000000'",
}
EVERY = {"postgresql": POSTGRESQL, "mariadb": MARIADB, "sqlite": SQLITE}
READ = {"postgresql": "{0}::text", "mariadb": "CAST({0} AS BINARY)", "sqlite": "typeof({0}), {0}"}


def make(project: Project, kind: str) -> None:
    """Make a table with a column for each of the types."""
    columns = ", ".join(f"c{n} {type_}" for n, type_ in enumerate(EVERY[kind]))
    with project.engine().begin() as connection:
        if kind == "postgresql":
            connection.exec_driver_sql("CREATE TYPE mood AS ENUM ('sa''d', 'glad')")
            connection.exec_driver_sql("CREATE DOMAIN small AS integer CHECK (VALUE < 10)")
        connection.exec_driver_sql(f"CREATE TABLE thing (id integer PRIMARY KEY, {columns})")


def put(project: Project, kind: str) -> None:
    values = ", ".join(EVERY[kind].values()).replace("%", "%%")
    nulls = ", ".join(["NULL"] * len(EVERY[kind]))
    with project.engine().begin() as connection:
        connection.exec_driver_sql(f"INSERT INTO thing VALUES (1, {values}), (2, {nulls})")


def contents(project: Project, kind: str) -> list[tuple[Any, ...]]:
    """Read what the database itself says about the values."""
    columns = ", ".join(READ[kind].format(f"c{n}") for n in range(len(EVERY[kind])))
    with project.engine().connect() as connection:
        rows = connection.exec_driver_sql(f"SELECT {columns} FROM thing ORDER BY id").all()
        return [tuple(row) for row in rows]


@pytest.mark.parametrize("kind", EVERY)
def test_into_itself(make_project: ProjectMaker, make_database: DatabaseMaker, kind: str) -> None:
    here = make_project(make_database(kind), models=lambda db: None)
    there = make_project(make_database(kind), models=lambda db: None, folder="there")
    make(here, kind)
    make(there, kind)
    put(here, kind)
    before = contents(here, kind)
    file = io.BytesIO()
    here.repository.dump(file)
    there.repository.load(io.BytesIO(file.getvalue()))
    for type_, old, new in zip(
        [one for one in EVERY[kind] for _ in range(len(before[0]) // len(EVERY[kind]))],
        before[0],
        contents(there, kind)[0],
        strict=True,
    ):
        assert old == new, type_
    assert contents(there, kind) == before


REFUSED = {
    ("postgresql", "numeric", "'NaN'", "mariadb", "decimal(10,2)"): "no such number",
    ("postgresql", "double precision", "'Infinity'", "mariadb", "double"): "no such number",
    ("postgresql", "timestamp", "'infinity'", "sqlite", "DATETIME"): "not a date and time",
    ("postgresql", "date", "'0044-03-15 BC'", "mariadb", "date"): "before the year 1",
    ("postgresql", "interval", "'1 year'", "sqlite", "DATETIME"): "months",
    ("postgresql", "numeric", "'0.12345678901234567'", "sqlite", "NUMERIC"): "15 digits",
    ("postgresql", "timestamp", "'294276-12-31'", "mariadb", "datetime"): "not a date and time",
    ("mariadb", "bigint unsigned", "18446744073709551615", "postgresql", "bigint"): "range",
    ("mariadb", "varchar(9)", "'123456789'", "postgresql", "varchar(5)"): "too long",
    ("mariadb", "time", "'-100:00:00'", "postgresql", "time"): "column c, value .-100:00:00",
    ("mariadb", "datetime(3)", "'2024-01-01 00:00:00.123'", "mariadb", "datetime"): "whole seconds",
    ("sqlite", "TEXT", "'123456789'", "mariadb", "varchar(5)"): "too long",
    ("sqlite", "DATETIME", "'2024-02-30 00:00:00'", "postgresql", "timestamp"): "out of range",
    ("sqlite", "DATE", "'2024-02-30'", "mariadb", "date"): "2024-02-30",
    ("sqlite", "INTEGER", "'a text'", "postgresql", "integer"): "not a whole number",
    ("sqlite", "BLOB", "'a text'", "postgresql", "bytea"): "not bytes in hexadecimal",
    ("sqlite", "INTEGER", "9223372036854775807", "mariadb", "integer"): "range",
}


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: "-".join(map(str, case)))
def test_what_another_database_does_not_have(
    make_project: ProjectMaker, make_database: DatabaseMaker, case: tuple[str, str, str, str, str]
) -> None:
    source, type_, value, target, wanted = case
    here = make_project(make_database(source), models=lambda db: None)
    there = make_project(make_database(target), models=lambda db: None, folder="there")
    for project, one in ((here, type_), (there, wanted)):
        with project.engine().begin() as connection:
            connection.exec_driver_sql(f"CREATE TABLE thing (c {one})")
    with here.engine().begin() as connection:
        connection.exec_driver_sql(f"INSERT INTO thing VALUES ({value})")
    file = io.BytesIO()
    here.repository.dump(file)
    with pytest.raises(DataError, match="(?s)line 2, table thing.*" + REFUSED[case]):
        there.repository.load(io.BytesIO(file.getvalue()))
    with there.engine().connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM thing").scalar_one() == 0
