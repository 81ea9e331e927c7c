"""Unique constraints and foreign keys without a name, which can be dropped again everywhere."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import Project, ProjectMaker
from tests.database.changing import Models, Story, ran, rows, settled, table, up_down_up


def models(*, unique: bool, key: bool) -> Models:
    def define(db: Any) -> None:
        table(db, "room", sa.Column("name", sa.String(20)))
        more = [sa.ForeignKeyConstraint(["room_id"], ["room.id"], ondelete="CASCADE")] * key
        exam = table(
            db,
            "exam",
            sa.Column("name", sa.String(20)),
            sa.Column("year", sa.Integer),
            sa.Column("room_id", sa.Integer),
            *more,
        )
        if unique:
            exam.append_constraint(sa.UniqueConstraint("name", "year"))

    return define


@pytest.fixture
def story(make_project: ProjectMaker, bind_url: str) -> Story:
    return Story(make_project, bind_url)


def fill(project: Project) -> None:
    rows(project, "INSERT INTO room (name) VALUES ('r')")
    rows(project, "INSERT INTO exam (name, year, room_id) VALUES ('a', 1, 1)")


def constraints(project: Project) -> tuple[int, int]:
    """Return how many unique constraints and foreign keys ``exam`` has."""
    inspector = sa.inspect(project.engine())
    keys = inspector.get_foreign_keys("exam")
    assert all(key["options"].get("ondelete") == "CASCADE" for key in keys)
    return len(inspector.get_unique_constraints("exam")), len(keys)


def test_made_later(story: Story) -> None:
    fill(story.upgraded(models(unique=False, key=False)))
    project = story.with_models(models(unique=True, key=True))
    made = ran(project, "migrate")
    assert (
        "has no naming convention, so uq_exam_name_year, fk_exam_room_id got their" in made.stderr
    )
    assert made.stderr.count("naming_convention={") == 1
    assert "(None" not in story.newest
    ran(project, "upgrade")
    for _ in range(2):
        assert constraints(project) == (1, 1)
        ran(project, "downgrade")
        assert constraints(project) == (0, 0)
        ran(project, "upgrade")
    settled(project)
    assert rows(project, "SELECT name, year, room_id FROM exam") == [("a", 1, 1)]


def test_made_with_the_table_and_dropped(story: Story) -> None:
    fill(story.upgraded(models(unique=True, key=True)))
    project = story.with_models(models(unique=False, key=False))
    assert project.flask("check").exit_code == 1
    ran(project, "migrate")
    assert "(None" not in story.newest
    ran(project, "upgrade")
    for _ in range(2):
        assert constraints(project) == (0, 0)
        ran(project, "downgrade")
        assert constraints(project) == (1, 1)
        ran(project, "upgrade")
    settled(project)
    assert rows(project, "SELECT name, year, room_id FROM exam") == [("a", 1, 1)]


def test_one_of_two_is_dropped(story: Story) -> None:
    def both(db: Any) -> None:
        models(unique=True, key=True)(db)
        db.metadata.tables["exam"].append_constraint(sa.UniqueConstraint("year", "room_id"))

    fill(story.upgraded(both))
    project = story.upgraded(models(unique=True, key=True))
    assert constraints(project) == (1, 1)
    up_down_up(project)


def test_a_metadata_with_names_is_told_nothing(story: Story) -> None:
    def named(db: Any) -> None:
        db.metadata.naming_convention = {"uq": "uq_%(table_name)s_%(column_0_name)s"}
        models(unique=True, key=False)(db)

    fill(story.upgraded(models(unique=False, key=False)))
    project = story.with_models(named)
    assert "naming" not in ran(project, "migrate").stderr
    ran(project, "upgrade")
    up_down_up(project)


def test_a_key_with_options_behind_its_column(make_project: ProjectMaker, url: str) -> None:
    story = Story(make_project, url)
    project = story.upgraded(lambda db: table(db, "room", sa.Column("name", sa.String(20))))
    rows(
        project,
        "CREATE TABLE exam (id INTEGER PRIMARY KEY NOT NULL, "
        "room_id INTEGER REFERENCES room (id) ON DELETE CASCADE)",
    )

    def define(action: str) -> Models:
        return lambda db: (
            table(db, "room", sa.Column("name", sa.String(20))),
            table(db, "exam", sa.Column("room_id", sa.ForeignKey("room.id", ondelete=action))),
        )

    settled(story.with_models(define("CASCADE")))
    assert story.with_models(define("SET NULL")).flask("check").exit_code == 1
