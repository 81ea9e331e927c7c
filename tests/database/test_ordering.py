"""The order of operations, in which every database accepts them: up, down, up, with rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import Project, ProjectMaker

Models = Callable[[Any], None]
ROWS = 100


@pytest.fixture
def stages(make_project: ProjectMaker, bind_url: str) -> Callable[..., Project]:
    """Give one project on one database with the models of the moment."""

    def stage(models: Models, **options: Any) -> Project:
        return make_project(bind_url, models=models, **options)

    return stage


def up_down_up(project: Project) -> None:
    """Write a revision, run it, take it back and run it again; nothing is left to change."""
    result = project.flask("migrate", "--no-input", "--allow-drop")
    assert result.exit_code == 0, result.stderr
    for verb in ("upgrade", "downgrade", "upgrade"):
        result = project.flask(verb)
        assert result.exit_code == 0, result.stderr
        if verb == "upgrade":
            assert_nothing_is_left(project)


def assert_nothing_is_left(project: Project) -> None:
    result = project.flask("check")
    assert result.exit_code == 0, result.stdout + result.stderr


def fill(project: Project, *names: str, **values: Any) -> None:
    """Insert rows with the ids 1 to 100, in which each foreign key is the same number."""
    with project.engine().begin() as connection:
        for name in names:
            table = project.db.metadata.tables[name]
            rows = [
                {
                    column.name: values.get(column.name, number if _numbered(column) else None)
                    for column in table.c
                }
                for number in range(1, ROWS + 1)
            ]
            connection.execute(sa.insert(table), rows)


def _numbered(column: sa.Column[Any]) -> bool:
    return column.primary_key or bool(column.foreign_keys)


def count(project: Project, name: str) -> int:
    with project.engine().connect() as connection:
        text = sa.select(sa.func.count()).select_from(sa.table(name))
        return int(connection.execute(text).scalar_one())


def pk() -> sa.Column[int]:
    return sa.Column("id", sa.Integer, primary_key=True)


def refers(column: str, to: str, **options: Any) -> sa.Column[Any]:
    key = {one: options.pop(one) for one in ("name", "ondelete", "use_alter") if one in options}
    return sa.Column(column, sa.Integer, sa.ForeignKey(f"{to}.id", **key), **options)


def nothing(db: Any) -> None:
    db.Table("other", pk())


def circle(db: Any) -> None:
    """Each team has a captain, each player a team."""
    nothing(db)
    db.Table("team", pk(), refers("captain_id", "player"))
    db.Table("player", pk(), refers("team_id", "team", index=True), refers("mentor_id", "player"))


def circle_with_alter(db: Any) -> None:
    nothing(db)
    db.Table("team", pk(), refers("captain_id", "player", use_alter=True, name="fk_captain"))
    db.Table("player", pk(), refers("team_id", "team", name="fk_team"))


@pytest.mark.parametrize("models", [circle, circle_with_alter])
def test_a_circle_of_foreign_keys_is_made(stages: Callable[..., Project], models: Models) -> None:
    up_down_up(stages(nothing))
    project = stages(models)
    up_down_up(project)
    keys = sa.inspect(project.engine()).get_foreign_keys("team")
    assert [key["referred_table"] for key in keys] == ["player"]
    fill(project, "team", captain_id=None)
    fill(project, "player")
    assert project.flask("downgrade").exit_code == 0
    assert project.tables() == {"alembic_version", "other"}


def test_a_circle_of_foreign_keys_is_dropped(stages: Callable[..., Project]) -> None:
    up_down_up(stages(circle))
    before = stages(circle)
    fill(before, "team", captain_id=None)
    fill(before, "player")
    project = stages(nothing)
    up_down_up(project)
    assert project.tables() == {"alembic_version", "other"}


def library(book: Callable[[], tuple[Any, ...]] = tuple, id_type: Any = sa.Integer) -> Models:
    """Return models: authors, and books with these columns."""

    def models(db: Any) -> None:
        nothing(db)
        db.Table("author", sa.Column("id", id_type, primary_key=True))
        db.Table("book", pk(), *book())

    return models


def key(type_: Any = sa.Integer, **options: Any) -> sa.Column[Any]:
    """The column of a book that refers to its author."""
    return sa.Column("author_id", type_, sa.ForeignKey("author.id", name="fk_author"), **options)


def title() -> sa.Column[Any]:
    return sa.Column("title", sa.String(50))


CHANGES: dict[str, tuple[Models, Models]] = {
    "index of a foreign key goes": (
        library(lambda: (key(index=True),)),
        library(lambda: (key(),)),
    ),
    "index of a foreign key is another": (
        library(lambda: (key(index=True), title())),
        library(lambda: (key(), title(), sa.Index("ix_both", "author_id", "title"))),
    ),
    "index of the same name is another": (
        library(lambda: (key(), title(), sa.Index("ix_book", "author_id"))),
        library(lambda: (key(), title(), sa.Index("ix_book", "author_id", "title"))),
    ),
    "foreign key and its index go": (
        library(lambda: (key(index=True),)),
        library(lambda: (sa.Column("author_id", sa.Integer),)),
    ),
    "foreign key goes": (
        library(lambda: (key(),)),
        library(lambda: (sa.Column("author_id", sa.Integer),)),
    ),
    "foreign key goes with its column": (
        library(lambda: (key(index=True),)),
        library(),
    ),
    "foreign key goes with both tables": (
        library(lambda: (key(index=True),)),
        nothing,
    ),
    "type of both ends": (
        library(lambda: (key(),)),
        library(lambda: (key(sa.BigInteger),), sa.BigInteger),
    ),
    "type of both ends, with an index": (
        library(lambda: (key(index=True),)),
        library(lambda: (key(sa.BigInteger, index=True),), sa.BigInteger),
    ),
    "foreign key becomes an index": (
        library(lambda: (key(),)),
        library(lambda: (sa.Column("author_id", sa.Integer, index=True),)),
    ),
    "unique on a foreign key": (
        library(lambda: (key(),)),
        library(lambda: (key(), sa.UniqueConstraint("author_id", name="uq_author"))),
    ),
}


@pytest.mark.parametrize("forth", [True, False], ids=["forth", "and back"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_around_a_foreign_key(
    stages: Callable[..., Project], change: str, forth: bool
) -> None:
    before, after = CHANGES[change] if forth else CHANGES[change][::-1]
    first = stages(before)
    up_down_up(first)
    tables = [name for name in ("author", "book") if name in first.db.metadata.tables]
    fill(first, *tables)
    schema = state(first)
    second = stages(after)
    up_down_up(second)
    for name in tables:
        if name in second.db.metadata.tables:
            assert count(second, name) == ROWS
    assert second.flask("downgrade").exit_code == 0
    assert first.repository.check(anywhere=True).ok
    assert state(first) == schema


def state(project: Project) -> Any:
    """Return what the database says of the tables."""
    inspector = sa.inspect(project.engine())
    return {
        name: (
            {(one["name"], str(one["type"]), one["nullable"]) for one in columns},
            {
                (one["name"], tuple(one["column_names"]), one["unique"])
                for one in inspector.get_indexes(name)
            },
            {
                (one["name"], tuple(one["constrained_columns"]))
                for one in inspector.get_foreign_keys(name)
            },
        )
        for name in sorted(project.tables())
        if (columns := inspector.get_columns(name))
    }
