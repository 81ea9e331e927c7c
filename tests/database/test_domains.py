"""Domains of PostgreSQL: made before the columns that need them, changed, and dropped."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from tests.conftest import DatabaseMaker, ProjectMaker
from tests.database.changing import Models, Story, ran, rows, settled, table, up_down_up

EMAIL = {"check": "VALUE LIKE '%@%'", "constraint_name": "email_has_at"}


@pytest.fixture
def story(make_project: ProjectMaker, make_database: DatabaseMaker) -> Story:
    return Story(make_project, make_database("postgresql"))


def email(name: str = "email", **options: Any) -> Any:
    return postgresql.DOMAIN(name, sa.Text(), **{**EMAIL, **options})


def users(*columns: Callable[[], sa.Column[Any]], tables: tuple[str, ...] = ("user",)) -> Models:
    """Return models of tables that have these columns."""

    def models(db: Any) -> None:
        table(db, "always")
        for name in tables:
            table(db, name, *(one() for one in columns))

    return models


def column(kind: Any, name: str = "mail", **options: Any) -> Callable[[], sa.Column[Any]]:
    # A type that is in a table holds on to its models, which the next test is not to meet.
    return lambda: sa.Column(name, copy.deepcopy(kind), **options)


def domains(project: Any) -> set[str]:
    found = rows(project, "SELECT typname FROM pg_type WHERE typtype = 'd'")
    return {name for (name,) in found} & {"email", "Odd Name"}


NEW = {
    "column": (users(), users(column(email()))),
    "table": (users(tables=()), users(column(email()))),
    "array": (users(), users(column(postgresql.ARRAY(email())))),
    "odd name": (users(), users(column(email("Odd Name")))),
    "two tables": (users(), users(column(email()), tables=("user", "staff"))),
    "schema": (users(), users(column(email(schema="types")))),
}


@pytest.mark.parametrize("where", NEW)
def test_a_new_one(story: Story, where: str) -> None:
    before, after = NEW[where]
    first = story.upgraded(before)
    second = story.upgraded(after)
    assert len(domains(second)) == 1
    settled(second)
    up_down_up(second)
    ran(second, "downgrade")
    assert domains(second) == set()
    assert first.repository.check(anywhere=True).ok


def test_the_last_one_goes(story: Story) -> None:
    given = email(not_null=True, default="a@b")
    first = story.upgraded(users(column(given), column(given, "other")))
    rows(first, "INSERT INTO \"user\" (mail, other) VALUES ('a@b', 'c@d')")
    one = story.upgraded(users(column(given)), "--drop", "user.other")
    assert domains(one) == {"email"}
    none = story.upgraded(users(), "--drop", "user.mail")
    assert domains(none) == set()
    settled(none)
    up_down_up(none)
    ran(none, "downgrade")
    assert one.repository.check(anywhere=True).ok
    with pytest.raises(sa.exc.IntegrityError):
        rows(one, "INSERT INTO \"user\" (mail) VALUES ('nothing')")


def test_it_changes(story: Story) -> None:
    first = story.upgraded(users(column(email(default="a@b"))))
    rows(first, "INSERT INTO \"user\" (mail) VALUES ('a@b')")
    longer = email(check="length(VALUE) > 2", constraint_name="email_is_long", not_null=True)
    second = story.with_models(users(column(longer)))
    assert second.flask("check").exit_code == 1
    assert "~ domain email" in ran(second, "migrate").stderr
    ran(second, "upgrade")
    settled(second)
    up_down_up(second)
    assert "postgresql.DOMAIN" not in story.newest
    ran(second, "downgrade")
    assert first.repository.check(anywhere=True).ok


def test_another_type_below_it_is_refused(story: Story) -> None:
    story.upgraded(users(column(email())))
    second = story.with_models(users(column(postgresql.DOMAIN("email", sa.String(50)))))
    refused = second.flask("migrate")
    assert refused.exit_code == 1
    assert "The domain email is one of text in the database" in refused.stderr
    assert "character varying(50)" in refused.stderr


def test_a_column_gets_one(story: Story) -> None:
    first = story.upgraded(users(column(sa.String(50))))
    rows(first, "INSERT INTO \"user\" (mail) VALUES ('a@b')")
    second = story.upgraded(users(column(email())))
    settled(second)
    up_down_up(second)
    assert rows(second, 'SELECT mail FROM "user"') == [("a@b",)]
