"""The main job, on each database: generate, upgrade, check, downgrade, upgrade again."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from tests.conftest import Project, ProjectMaker, define_user


def define_more(db: Any) -> None:
    define_user(db)
    db.metadata.tables["user"].append_column(sa.Column("email", sa.String(120)))


def test_up_down_up_with_rows(make_project: ProjectMaker, bind_url: str) -> None:
    first = make_project(bind_url)
    assert first.repository.revision("create", autogenerate=True) is not None
    first.repository.upgrade()
    insert(first, "Ada")

    second = make_project(bind_url, models=define_more)
    made = second.repository.revision("add email", autogenerate=True)
    assert made is not None
    assert second.repository.revision("again", autogenerate=False) is not None
    result = second.repository.upgrade()
    assert [step.message for step in result.steps] == ["add email", "again"]
    assert second.repository.check().ok
    assert columns(second) == {"id", "name", "email"}

    second.repository.downgrade("-2")
    assert columns(second) == {"id", "name"}
    assert second.repository.current()[0].heads == made.down
    second.repository.upgrade("+1")
    assert names(second) == ["Ada"]
    second.repository.downgrade("base")
    assert second.tables() == {"alembic_version"}


def test_a_second_revision_is_not_written_when_nothing_changed(
    make_project: ProjectMaker, bind_url: str
) -> None:
    project = make_project(bind_url)
    project.repository.revision("create", autogenerate=True)
    project.repository.upgrade()
    assert project.repository.revision("nothing", autogenerate=True) is None
    assert len(list((project.path / "migrations" / "versions").glob("*.py"))) == 1


def insert(project: Project, name: str) -> None:
    with project.engine().begin() as connection:
        connection.execute(sa.insert(project.db.metadata.tables["user"]).values(name=name))


def names(project: Project) -> list[str]:
    with project.engine().connect() as connection:
        table = sa.table("user", sa.column("name"))
        return list(connection.execute(sa.select(table.c.name)).scalars())


def columns(project: Project) -> set[str]:
    return {one["name"] for one in sa.inspect(project.engine()).get_columns("user")}
