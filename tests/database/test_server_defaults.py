"""Server defaults that differ are seen, and only those."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from flask_sakyum_migrate.autogenerate.types import stored
from tests.conftest import DatabaseMaker, ProjectMaker
from tests.database.changing import Models, Story, ran, rows, settled, table, up_down_up


def with_default(type_: Any, default: Any, **options: Any) -> Models:
    return lambda db: table(
        db, "order", sa.Column("select", type_, server_default=default, index=True, **options)
    )


@pytest.fixture
def story(make_project: ProjectMaker, bind_url: str) -> Story:
    return Story(make_project, bind_url)


CHANGES = [
    (sa.String(20), None, "a"),
    (sa.String(20), "a", None),
    (sa.String(20), "it's", "it's 50% a:b"),
    (sa.String(20), "", " "),
    (sa.String(20), "now()", "CURRENT_TIMESTAMP"),
    (sa.Integer, "0", "1"),
    (sa.Integer, "-1", sa.text("1")),
    (sa.Numeric(10, 2), "1.50", "1.05"),
    (sa.Boolean, sa.false(), sa.true()),
    (sa.DateTime, None, sa.func.now()),
    (sa.DateTime, sa.func.now(), "2020-01-01 00:00:00"),
]


@pytest.mark.parametrize(("type_", "before", "after"), CHANGES)
def test_a_change_is_seen(story: Story, type_: Any, before: Any, after: Any) -> None:
    project = story.upgraded(with_default(type_, before))
    rows(project, f"INSERT INTO {_order(project)} (id) VALUES (1)")
    project = story.with_models(with_default(type_, after))
    check = project.flask("check")
    assert check.exit_code == 1
    assert "server_default=" in check.stdout
    assert "~ column order.select server default" in ran(project, "migrate").stderr
    ran(project, "upgrade")
    up_down_up(project)
    rows(project, f"INSERT INTO {_order(project)} (id) VALUES (2)")
    found = rows(project, f"SELECT COUNT(*) FROM {_order(project)}")
    assert found == [(2,)]


def _order(project: Any) -> str:
    return str(project.engine().dialect.identifier_preparer.quote("order"))


def test_a_type_and_its_default_at_once(story: Story) -> None:
    project = story.upgraded(with_default(sa.String(20), "a"))
    rows(project, f"INSERT INTO {_order(project)} (id) VALUES (1)")
    project = story.upgraded(with_default(sa.String(30), "b"))
    assert story.newest.count("alter_column") == 2  # one there, one back
    up_down_up(project)


def test_who_said_that_they_are_not_to_be_compared(
    make_project: ProjectMaker, bind_url: str
) -> None:
    story = Story(make_project, bind_url, compare_server_default=False)
    story.upgraded(with_default(sa.String(20), "a"))
    settled(story.with_models(with_default(sa.String(20), "b")))


def test_who_said_how_to_compare_them(make_project: ProjectMaker, bind_url: str) -> None:
    asked = []

    def compare(context: Any, inspected: Any, model: Any, *texts: Any) -> bool:
        asked.append(model.name)
        return False

    story = Story(make_project, bind_url, compare_server_default=compare)
    story.upgraded(with_default(sa.String(20), "a"))
    settled(story.with_models(with_default(sa.String(20), "b")))
    assert "select" in asked


def test_a_user_who_may_not_make_temporary_tables(
    make_project: ProjectMaker, make_database: DatabaseMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = Story(make_project, make_database("postgresql"))
    project = story.upgraded(with_default(postgresql.JSONB, '{"b":1,"a":2}'))
    settled(project)
    monkeypatch.setattr(stored, "_TABLE", "no.such.place")
    check = ran(project, "check")
    assert "Not compared: the server default of order.select." in check.stderr


def test_nothing_is_left_behind(story: Story) -> None:
    project = story.upgraded(with_default(sa.DateTime, sa.func.current_timestamp()))
    ran(project, "check")
    names = sa.inspect(project.engine())
    assert set(names.get_table_names()) - {"alembic_version_runs"} == {"alembic_version", "order"}
