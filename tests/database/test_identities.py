"""Columns that PostgreSQL counts by itself."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import DatabaseMaker, ProjectMaker
from tests.database.changing import Models, Story, ran, rows, settled, table, up_down_up


@pytest.fixture
def story(make_project: ProjectMaker, make_database: DatabaseMaker) -> Story:
    return Story(make_project, make_database("postgresql"))


def key(*more: Any, name: str = "user", schema: str | None = None, **options: Any) -> Models:
    """Return models with a table whose primary key is this one, and one that is equal."""

    def models(db: Any) -> None:
        table(db, "animal", sa.Column("name", sa.String(50)))
        column = sa.Column("Id", sa.Integer, *(one() for one in more), primary_key=True, **options)
        db.Table(name, column, sa.Column("name", sa.String(50)), schema=schema)

    return models


def number(*more: Any) -> Models:
    """Return a model with a number that is no key."""

    def models(db: Any) -> None:
        table(db, "animal", sa.Column("name", sa.String(50)))
        column = sa.Column("number", sa.Integer, *(one() for one in more), nullable=False)
        table(db, "person", column, sa.Column("name", sa.String(50)))

    return models


STATES = {
    "serial": key(),
    "plain": key(autoincrement=False),
    "default": key(autoincrement=False, server_default="5"),
    "identity": key(sa.Identity),
    "always": key(lambda: sa.Identity(always=True)),
    "tens": key(lambda: sa.Identity(start=10, increment=10, cycle=True, maxvalue=5000)),
}
WAYS = [
    ("serial", "identity"),
    ("plain", "identity"),
    ("default", "always"),
    ("identity", "plain"),
    ("identity", "default"),
    ("identity", "always"),
    ("always", "tens"),
    ("tens", "identity"),
    ("serial", "always"),
]


@pytest.mark.parametrize(("before", "after"), WAYS)
def test_a_change(story: Story, before: str, after: str) -> None:
    project = story.upgraded(STATES[before])
    settled(project)
    rows(project, """INSERT INTO "user" ("Id", name) OVERRIDING SYSTEM VALUE VALUES (41, 'a')""")
    project = story.with_models(STATES[after])
    assert project.flask("check").exit_code == 1
    ran(project, "migrate")
    ran(project, "upgrade")
    settled(project)
    if after == "plain":
        with pytest.raises(sa.exc.IntegrityError):
            rows(project, """INSERT INTO "user" (name) VALUES ('b')""")
    else:
        rows(project, """INSERT INTO "user" (name) VALUES ('b')""")
        if before in ("serial", "plain", "default"):  # else it had a counter, which goes on
            assert rows(project, """SELECT max("Id") FROM "user" """) == [(42,)]
    if after == "always":
        with pytest.raises(sa.exc.ProgrammingError):
            rows(project, """INSERT INTO "user" ("Id") VALUES (77)""")
    up_down_up(project)
    ran(project, "downgrade")
    old = story.with_models(STATES[before])
    with old.app.app_context():
        assert old.repository.check(anywhere=True).ok
    if before in ("serial", "identity", "always"):
        rows(project, """INSERT INTO "user" (name) VALUES ('c')""")


@pytest.mark.parametrize("before", ["identity", "serial"])
def test_a_key_that_is_left_to_the_database_may_be_either(story: Story, before: str) -> None:
    story.upgraded(STATES[before])
    settled(story.with_models(STATES["serial"]))


def test_no_key(story: Story) -> None:
    project = story.upgraded(number())
    rows(project, "INSERT INTO person (number) VALUES (7)")
    project = story.upgraded(number(sa.Identity))
    settled(project)
    rows(project, "INSERT INTO person (name) VALUES ('x')")
    assert rows(project, "SELECT max(number) FROM person") == [(8,)]
    up_down_up(project)
    project = story.upgraded(number())
    settled(project)
    with pytest.raises(sa.exc.IntegrityError):
        rows(project, "INSERT INTO person (name) VALUES ('x')")


def test_in_a_schema_with_a_name_to_be_quoted(story: Story) -> None:
    project = story.upgraded(key(name="My Table", schema="Other"))
    rows(project, """INSERT INTO "Other"."My Table" (name) VALUES ('a'), ('b')""")
    project = story.upgraded(key(sa.Identity, name="My Table", schema="Other"))
    settled(project)
    rows(project, """INSERT INTO "Other"."My Table" (name) VALUES ('c')""")
    assert rows(project, """SELECT max("Id") FROM "Other"."My Table" """) == [(3,)]
    up_down_up(project)


@pytest.mark.parametrize("before", ["identity", "serial"])
def test_another_type_at_once(story: Story, before: str) -> None:
    def big(db: Any) -> None:
        table(db, "animal", sa.Column("name", sa.String(50)))
        column = sa.Column("Id", sa.BigInteger, sa.Identity(), primary_key=True)
        db.Table("user", column, sa.Column("name", sa.String(50)))

    story.upgraded(STATES[before])
    project = story.upgraded(big)
    settled(project)
    rows(project, """INSERT INTO "user" (name) VALUES ('c')""")
    up_down_up(project)
