"""Labels of an enum that is no type of its own: the ENUM of MySQL, and a CHECK."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import DatabaseMaker, ProjectMaker
from tests.database.changing import Models, Story, ran, rows, settled, table, up_down_up


def exam(*labels: str, **options: Any) -> Models:
    return lambda db: table(
        db, "exam", sa.Column("state", sa.Enum(*labels, **options), server_default=labels[0])
    )


def columns_of(project: Any) -> list[str]:
    return [row[0] for row in rows(project, "SELECT state FROM exam ORDER BY id")]


@pytest.fixture
def checked(make_project: ProjectMaker, bind_url: str) -> Story:
    """``exam`` with a CHECK for the labels ``new`` and ``it's``, and a row of each."""
    story = Story(make_project, bind_url)
    project = story.upgraded(exam("new", "it's", **CHECK))
    rows(project, "INSERT INTO exam (state) VALUES ('new')")
    rows(project, "INSERT INTO exam (state) VALUES ('it''s')")
    settled(project)
    return story


CHECK = {"native_enum": False, "create_constraint": True, "name": "ck_state"}


@pytest.mark.parametrize("labels", [("new", "it's", "end"), ("new", "it's", "much longer", "b:c%")])
def test_a_check_gets_labels(checked: Story, labels: tuple[str, ...]) -> None:
    project = checked.with_models(exam(*labels, **CHECK))
    assert project.flask("check").exit_code == 1
    ran(project, "migrate")
    ran(project, "upgrade")
    insert = sa.insert(sa.table("exam", sa.column("state"))).values(state=labels[-1])
    with project.engine().begin() as connection:
        connection.execute(insert)
    with pytest.raises(sa.exc.DBAPIError):
        rows(project, "INSERT INTO exam (state) VALUES ('other')")
    assert columns_of(project) == ["new", "it's", labels[-1]]
    settled(project)
    rows(project, "DELETE FROM exam WHERE id > 2")
    up_down_up(project)
    ran(project, "downgrade")
    with pytest.raises(sa.exc.DBAPIError):
        rows(project, "INSERT INTO exam (state) VALUES ('end')")


def test_a_check_loses_a_label(checked: Story) -> None:
    project = checked.with_models(exam("new", **CHECK))
    made = ran(project, "migrate")
    assert "1 row of exam.state has it's, which the models no longer know" in made.stderr
    assert project.flask("upgrade").exit_code == 1
    assert columns_of(project) == ["new", "it's"]


def test_a_check_without_a_name_on_sqlite(make_project: ProjectMaker, url: str) -> None:
    story = Story(make_project, url)
    options = {**CHECK, "name": None}
    project = story.upgraded(exam("new", "old", **options))
    rows(project, "INSERT INTO exam (state) VALUES ('old')")
    settled(project)
    told = story.with_models(exam("new", "odd", **options)).flask("migrate").stderr
    assert "The labels of exam.state differ from the CHECK in the database" in told


@pytest.mark.parametrize(
    "labels", [("new", "it's", "50:a"), ("it's", "new"), ("first", "new", "it's")]
)
def test_the_enum_of_mysql(
    make_project: ProjectMaker, make_database: DatabaseMaker, labels: tuple[str, ...]
) -> None:
    story = Story(make_project, make_database("mariadb"))
    project = story.upgraded(exam("new", "it's", name="state"))
    rows(project, "INSERT INTO exam (state) VALUES ('new'), ('it''s')")
    settled(project)
    project = story.with_models(exam(*labels, name="state"))
    assert project.flask("check").exit_code == 1
    ran(project, "migrate")
    ran(project, "upgrade")
    assert columns_of(project) == ["new", "it's"]
    up_down_up(project)
    type_: Any = sa.inspect(project.engine()).get_columns("exam")[1]["type"]
    assert tuple(type_.enums) == labels


def test_the_enum_of_mysql_loses_a_label(
    make_project: ProjectMaker, make_database: DatabaseMaker
) -> None:
    story = Story(make_project, make_database("mariadb"))
    project = story.upgraded(exam("new", "old", name="state"))
    rows(project, "INSERT INTO exam (state) VALUES ('new'), ('old'), ('old')")
    project = story.with_models(exam("new", name="state"))
    assert "2 rows of exam.state have old, which the models" in ran(project, "migrate").stderr
    assert project.flask("upgrade").exit_code == 1
    assert columns_of(project) == ["new", "old", "old"]


@pytest.mark.parametrize("forth", [True, False], ids=["forth", "and back"])
def test_a_column_with_its_check(make_project: ProjectMaker, bind_url: str, forth: bool) -> None:
    labels = ("a, b", "(c)", "it's")

    def kind() -> sa.Column[Any]:
        enum = sa.Enum(*labels, native_enum=False, create_constraint=True, name="kind_labels")
        return sa.Column("kind", enum)

    def states(*items: Any) -> Models:
        return lambda db: table(db, "thing", *items)

    plain, checked = states(), states(kind())
    before, after = (plain, checked) if forth else (checked, plain)
    story = Story(make_project, bind_url)
    first = story.upgraded(before)
    second = story.upgraded(after, "--drop", "thing.kind")
    settled(second)
    up_down_up(second)
    ran(second, "downgrade")
    assert first.repository.check(anywhere=True).ok
    if not forth:
        with pytest.raises(sa.exc.DBAPIError):
            rows(first, "INSERT INTO thing (id, kind) VALUES (1, 'none')")
