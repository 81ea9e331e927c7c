"""Schemas that are not the default one: those of the models are looked at, and no others."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import DatabaseMaker, ProjectMaker
from tests.database.changing import Models, Story, ran, rows, settled, table, up_down_up


@pytest.fixture
def story(make_project: ProjectMaker, make_database: DatabaseMaker) -> Story:
    return Story(make_project, make_database("postgresql"))


def audited(schema: str | None, *more: Any, name: str = "log") -> Models:
    def models(db: Any) -> None:
        table(db, "user", sa.Column("name", sa.String(20)))
        table(db, name, sa.Column("text", sa.String(20)), *more, schema=schema)

    return models


def schemas(project: Any) -> set[str]:
    return set(sa.inspect(project.engine()).get_schema_names()) - {"public", "information_schema"}


def test_a_schema_is_made_on_first_use(story: Story) -> None:
    story.upgraded(lambda db: table(db, "user", sa.Column("name", sa.String(20))))
    project = story.with_models(audited("Audit"))
    made = ran(project, "migrate")
    assert "  + schema Audit\n  + table Audit.log\n" in made.stderr
    assert "flask_sakyum_migrate" not in story.newest
    ran(project, "upgrade")
    rows(project, """INSERT INTO "Audit".log (text) VALUES ('x')""")
    settled(project)
    for _ in range(2):
        ran(project, "downgrade")
        assert schemas(project) == set()
        ran(project, "upgrade")
        assert schemas(project) == {"Audit"}
    changed = story.upgraded(audited("Audit", sa.Column("more", sa.Integer, index=True)))
    up_down_up(changed)


def test_a_schema_that_was_there_stays(story: Story) -> None:
    project = story.with_models(audited("audit"))
    ran(project, "migrate")
    rows(project, "CREATE SCHEMA audit")
    ran(project, "upgrade")
    ran(project, "downgrade")
    assert schemas(project) == {"audit"}
    ran(project, "upgrade")
    settled(project)


def test_other_schemas_are_not_looked_at(story: Story) -> None:
    project = story.upgraded(audited("audit"))
    rows(project, "CREATE SCHEMA theirs")
    rows(project, "CREATE TABLE theirs.log (id integer)")
    result = ran(project, "migrate")
    assert result.stderr == "No changes in schema detected.\n"


def test_the_last_model_of_a_schema(story: Story) -> None:
    project = story.upgraded(audited("audit"))
    rows(project, "INSERT INTO audit.log (text) VALUES ('x')")
    project = story.with_models(lambda db: table(db, "user", sa.Column("name", sa.String(20))))
    made = ran(project, "migrate")
    assert "  - table audit.log\n  ! lost: audit.log 1 row\n" in made.stderr
    ran(project, "upgrade")
    up_down_up(project)


def test_what_somebody_said_is_left_so(make_project: ProjectMaker, make_database: Any) -> None:
    story = Story(make_project, make_database("postgresql"), include_schemas=False)
    project = story.with_models(audited(None))
    ran(project, "migrate")
    ran(project, "upgrade")
    rows(project, "CREATE SCHEMA audit")
    again = story.with_models(audited("audit", name="more"))
    assert again.flask("check").exit_code == 1


def test_the_default_schema_by_its_name(make_project: ProjectMaker, bind_url: str) -> None:
    default = {"sqlite": "main", "postgresql": "public"}
    schema = default.get(sa.make_url(bind_url).get_backend_name(), sa.make_url(bind_url).database)

    def models(db: Any) -> None:
        table(db, "room", sa.Column("name", sa.String(20), index=True), schema=schema)
        key: sa.Column[Any] = sa.Column(
            "room_id", sa.ForeignKey(f"{schema}.room.id", name="fk_exam_room")
        )
        table(db, "exam", key, schema=schema)

    story = Story(make_project, bind_url)
    project = story.upgraded(models)
    rows(project, "INSERT INTO room (name) VALUES ('x')")
    up_down_up(project)


def test_a_table_of_one_name_in_two_schemas(story: Story) -> None:
    def models(db: Any) -> None:
        table(db, "log", sa.Column("text", sa.String(20), unique=True))
        table(db, "log", sa.Column("other", sa.Integer), schema="audit")

    project = story.upgraded(models)
    rows(project, "INSERT INTO audit.log (other) VALUES (1)")
    up_down_up(project)
