"""Columns that get another type: rows stay where they can, and what may be lost is told."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import DatabaseMaker, Project, ProjectMaker

ROWS = 100
Change = Callable[..., Project]


@pytest.fixture
def change(make_project: ProjectMaker, bind_url: str) -> Change:
    """Make a column with 100 rows of a value, then give it another type and upgrade."""

    def change(before: sa.Column[Any], value: Any, after: sa.Column[Any]) -> Project:
        first = make_project(bind_url, models=item(before))
        for verb in ("migrate", "upgrade"):
            assert first.flask(verb).exit_code == 0
        with first.engine().begin() as connection:
            connection.execute(sa.insert(first.db.metadata.tables["item"]), [{"it": value}] * ROWS)
        second = make_project(bind_url, models=item(after))
        result = second.flask("migrate")
        assert result.exit_code == 0, result.stderr
        second.said = result.stderr  # type: ignore[attr-defined]
        second.text = Path(result.stdout.strip()).read_text()  # type: ignore[attr-defined]
        return second

    return change


def item(column: sa.Column[Any]) -> Callable[[Any], None]:
    def models(db: Any) -> None:
        db.Table("item", sa.Column("id", sa.Integer, primary_key=True), column)

    return models


def it(type_: Any, **options: Any) -> sa.Column[Any]:
    return sa.Column("it", type_, **options)


def run(project: Project, *verbs: str) -> None:
    for verb in verbs:
        result = project.flask(verb)
        assert result.exit_code == 0, result.stderr


def values(project: Project) -> list[Any]:
    table = project.db.metadata.tables["item"]
    with project.engine().connect() as connection:
        return list(connection.execute(sa.select(table.c.it)).scalars())


LOSSY = {
    "numeric to integer": (sa.Numeric(10, 2), Decimal("1.75"), sa.Integer()),
    "float to integer": (sa.Double(), 1.75, sa.Integer()),
    "less precision": (sa.Numeric(10, 4), Decimal("1.1234"), sa.Numeric(10, 2)),
    "shorter string": (sa.String(100), "short", sa.String(10)),
    "timestamp to date": (
        sa.DateTime(),
        datetime.datetime(2026, 1, 2, 3, 4, 5),
        sa.Date(),
    ),
    "text to integer": (sa.String(20), "12", sa.Integer()),
    "smaller integer": (sa.BigInteger(), 12, sa.Integer()),
}


@pytest.mark.parametrize("name", LOSSY)
def test_what_may_be_lost_is_marked(change: Change, name: str) -> None:
    before, value, after = LOSSY[name]
    project = change(it(before), value, it(after))
    said = re.search(r"! may lose: item\.it (.+ -> .+)\n", project.said)  # type: ignore[attr-defined]
    assert said is not None
    mark = f"        # it may lose something: {said[1]}.\n        batch_op.alter_column('it'"
    assert mark in project.text  # type: ignore[attr-defined]
    run(project, "upgrade", "check")
    assert len(values(project)) == ROWS


SAFE = {
    "wider integer": (sa.Integer(), 12, sa.BigInteger(), 12),
    "longer string": (sa.String(10), "short", sa.String(100), "short"),
    "string to text": (sa.String(10), "short", sa.Text(), "short"),
    "integer to numeric": (sa.Integer(), 12, sa.Numeric(12, 2), Decimal("12.00")),
    "integer to string": (sa.Integer(), 12, sa.String(20), "12"),
    "date to timestamp": (
        sa.Date(),
        datetime.date(2026, 1, 2),
        sa.DateTime(),
        datetime.datetime(2026, 1, 2),
    ),
    "boolean to integer": (sa.Boolean(), True, sa.Integer(), 1),
    "text to json": (sa.Text(), '{"a": 1}', sa.JSON(), {"a": 1}),
}


@pytest.mark.parametrize("name", SAFE)
def test_what_is_kept_is_not_marked(change: Change, name: str) -> None:
    before, value, after, expected = SAFE[name]
    project = change(it(before), value, it(after))
    assert "may lose" not in project.said  # type: ignore[attr-defined]
    upgrade = project.text.partition("def downgrade")[0]  # type: ignore[attr-defined]
    assert "may lose" not in upgrade
    run(project, "upgrade", "check")
    assert values(project) == [expected] * ROWS
    run(project, "downgrade", "upgrade")
    assert values(project) == [expected] * ROWS


CAST = {
    "text to integer": (sa.String(20), "12", sa.Integer(), 12),
    "text to boolean": (sa.String(20), "1", sa.Boolean(), True),
    "integer to boolean": (sa.Integer(), 1, sa.Boolean(), True),
    "boolean to bigint": (sa.Boolean(), True, sa.BigInteger(), 1),
    "text to date": (sa.String(20), "2026-01-02", sa.Date(), datetime.date(2026, 1, 2)),
}


@pytest.mark.parametrize("name", CAST)
def test_postgresql_is_told_how(change: Change, name: str) -> None:
    before, value, after, expected = CAST[name]
    project = change(it(before), value, it(after))
    run(project, "upgrade", "check")
    assert values(project) == [expected] * ROWS
    run(project, "downgrade", "upgrade")
    assert values(project) == [expected] * ROWS
    told = "postgresql_using=" in project.text  # type: ignore[attr-defined]
    assert told == (project.engine().dialect.name == "postgresql")


def test_a_default_is_away_while_the_type_changes(change: Change) -> None:
    before = it(sa.String(20), server_default="7")
    project = change(before, "12", it(sa.Integer(), server_default="7"))
    for _ in range(2):
        run(project, "upgrade", "check")
        assert values(project)[:ROWS] == [12] * ROWS
        with project.engine().begin() as connection:
            connection.exec_driver_sql("INSERT INTO item (id) VALUES (1000)")
        assert values(project)[-1] == 7
        with project.engine().begin() as connection:
            connection.exec_driver_sql("DELETE FROM item WHERE id = 1000")
        run(project, "downgrade")
        with project.engine().begin() as connection:
            connection.exec_driver_sql("INSERT INTO item (id) VALUES (1000)")
            rows = connection.exec_driver_sql("SELECT it FROM item WHERE id = 1000").scalars()
            assert list(rows) == ["7"]
            connection.exec_driver_sql("DELETE FROM item WHERE id = 1000")


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_serial_column_counts_on(
    make_project: ProjectMaker, make_database: DatabaseMaker, kind: str
) -> None:
    def models(type_: Any) -> Callable[[Any], None]:
        def define(db: Any) -> None:
            db.Table("item", sa.Column("id", type_, primary_key=True), it(sa.Integer()))

        return define

    url = make_database(kind)
    first = make_project(url, models=models(sa.Integer))
    run(first, "migrate", "upgrade")
    project = make_project(url, models=models(sa.BigInteger))
    run(project, "migrate", "upgrade", "check", "downgrade", "upgrade")
    more = "ALTER TABLE item AUTO_INCREMENT = 4294967296"
    if kind == "postgresql":
        more = "ALTER SEQUENCE item_id_seq RESTART WITH 4294967296"
    with project.engine().begin() as connection:
        connection.exec_driver_sql(more)
        table = project.db.metadata.tables["item"]
        made = connection.execute(sa.insert(table).values(it=1)).inserted_primary_key
        assert made == (4294967296,)


@pytest.mark.parametrize("bind_url", ["mariadb"], indirect=True)
@pytest.mark.parametrize("gone", ["column", "type", "table"])
def test_json_of_mariadb_comes_back_as_json(
    make_project: ProjectMaker, bind_url: str, gone: str
) -> None:
    def models(it: sa.Column[Any] | None) -> Callable[[Any], None]:
        def define(db: Any) -> None:
            db.Table("other", sa.Column("id", sa.Integer, primary_key=True))
            if it is not None:
                item(it)(db)

        return define

    first = make_project(bind_url, models=models(it(sa.JSON())))
    run(first, "migrate", "upgrade")
    after = {
        "column": models(sa.Column("n", sa.Integer)),
        "type": models(it(sa.Text())),
        "table": models(None),
    }
    run(make_project(bind_url, models=after[gone]), "migrate", "upgrade", "downgrade")
    with first.engine().begin() as connection, pytest.raises(sa.exc.DBAPIError, match="CONSTRAINT"):
        connection.exec_driver_sql("INSERT INTO item (it) VALUES ('no JSON')")
