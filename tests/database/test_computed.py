"""Columns that the database computes: up, down, up, with rows that keep their values."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import ProjectMaker
from tests.database.changing import Models, Story, ran, rows, settled, table, up_down_up


def prices(*columns: Any, kind: Any = sa.Integer, unique: Any = ()) -> Models:
    """Return a model of a price, with columns beside it.

    :param unique: the names of constraints on both.
    """

    def models(db: Any) -> None:
        items = [one._copy() for one in columns]
        items += [sa.UniqueConstraint("price", "twice", name=name) for name in unique]
        table(db, "item", sa.Column("price", kind), *items)

    return models


def twice(sql: str = "price * 2", kind: Any = sa.Integer, **options: Any) -> Any:
    computed = sa.Computed(sql, persisted=options.pop("persisted", True))
    return sa.Column("twice", kind, computed, **options)


CHANGES: dict[str, tuple[Models, Models]] = {
    "new": (prices(), prices(twice())),
    "new with what it is computed from": (
        prices(),
        prices(twice("cost + 1"), sa.Column("cost", sa.Integer)),
    ),
    "another expression": (prices(twice()), prices(twice("price * 3"))),
    "parentheses that matter": (prices(twice("price * 2 + 1")), prices(twice("price * (2 + 1)"))),
    "with an index": (prices(twice(index=True)), prices(twice("price * 3", index=True))),
    "with a name of a constraint": (
        prices(twice(), unique=["uq_item"]),
        prices(twice("price * 3"), unique=["uq_item"]),
    ),
    "with a constraint": (
        prices(twice(), unique=[None]),
        prices(twice("price * 3"), unique=[None]),
    ),
    "another type": (prices(twice()), prices(twice(kind=sa.BigInteger))),
    "another type of what it is computed from": (
        prices(twice(index=True)),
        prices(twice(index=True), kind=sa.BigInteger),
    ),
    "an index goes": (prices(twice(index=True)), prices(twice())),
}


@pytest.mark.parametrize("forth", [True, False], ids=["forth", "and back"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_change(make_project: ProjectMaker, bind_url: str, change: str, forth: bool) -> None:
    before, after = CHANGES[change] if forth else CHANGES[change][::-1]
    story = Story(make_project, bind_url)
    first = story.upgraded(before)
    rows(first, "INSERT INTO item (id, price) VALUES (1, 10), (2, NULL)")
    schema = computed(first)
    second = story.upgraded(after, "--drop", "item.twice", "--drop", "item.cost")
    settled(second)
    up_down_up(second)
    assert rows(second, "SELECT id, price FROM item ORDER BY id") == [(1, 10), (2, None)]
    ran(second, "downgrade")
    assert computed(first) == schema
    assert first.repository.check(anywhere=True).ok


def computed(project: Any) -> Any:
    """Return which columns there are, and how they are computed."""
    found = sa.inspect(project.engine()).get_columns("item")
    return {(one["name"], str(one["type"]), str(one.get("computed"))) for one in found}


def test_it_is_told(make_project: ProjectMaker, bind_url: str) -> None:
    story = Story(make_project, bind_url)
    story.upgraded(prices(twice()))
    changed = story.with_models(prices(twice("price * 3")))
    assert changed.flask("check").exit_code == 1
    told = ran(changed, "migrate").stderr
    assert "~ column item.twice computed anew" in told
    assert "lost" not in told
    assert "- column" not in told


@pytest.mark.parametrize("forth", [True, False], ids=["forth", "and back"])
def test_plain_and_computed(make_project: ProjectMaker, bind_url: str, forth: bool) -> None:
    states = prices(sa.Column("twice", sa.Integer)), prices(twice())
    before, after = states if forth else states[::-1]
    story = Story(make_project, bind_url)
    first = story.upgraded(before)
    rows(first, "INSERT INTO item (id, price) VALUES (1, 10)")
    second = story.with_models(after)
    refused = second.flask("migrate")
    assert refused.exit_code == 1
    assert "No database turns one into the other" in refused.stderr
    assert "flask db migrate --drop item.twice" in refused.stderr
    assert second.flask("check").exit_code == 1
    ran(second, "migrate", "--drop", "item.twice")
    ran(second, "upgrade")
    settled(second)
    up_down_up(second)


@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_virtual(make_project: ProjectMaker, make_database: Any, kind: str) -> None:
    """Without ``persisted`` it is computed when it is read, where there is such a thing."""
    story = Story(make_project, make_database(kind))
    story.upgraded(prices(twice(persisted=None)))
    stored = story.upgraded(prices(twice(persisted=True)))
    settled(stored)
    up_down_up(stored)


def test_a_table_with_one_goes(make_project: ProjectMaker, bind_url: str) -> None:
    def models(db: Any) -> None:
        table(db, "other")

    def more(db: Any) -> None:
        models(db)
        prices(twice("coalesce(price, (1 + 2))"), sa.Column("last", sa.Integer))(db)

    story = Story(make_project, bind_url)
    first = story.upgraded(more)
    schema = computed(first)
    second = story.upgraded(models, "--allow-drop")
    ran(second, "downgrade")
    assert computed(first) == schema
    assert first.repository.check(anywhere=True).ok
