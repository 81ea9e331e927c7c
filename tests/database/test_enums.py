"""Enum types of PostgreSQL: made, changed and dropped, with rows, up, down and up."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from flask_sakyum_migrate.errors import RefusedError
from flask_sakyum_migrate.wishes import Wishes
from tests.conftest import DatabaseMaker, ProjectMaker
from tests.database.changing import Models, Story, ran, rows, settled, table, up_down_up

LABELS = """SELECT e.enumlabel FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid
WHERE t.typname = '{}' ORDER BY e.enumsortorder"""


@pytest.fixture
def story(make_project: ProjectMaker, make_database: DatabaseMaker) -> Story:
    return Story(make_project, make_database("postgresql"))


def exam(*labels: str, **column: Any) -> Models:
    """A table with the enum ``state`` of these labels, and an array of it."""

    def models(db: Any) -> None:
        state = sa.Enum(*labels, name="state")
        table(db, "exam", sa.Column("state", state, **column), sa.Column("all", sa.ARRAY(state)))

    return models


@pytest.fixture
def filled(story: Story) -> Story:
    """``exam`` with the labels ``new`` and ``it's old``, and a row of each."""
    project = story.upgraded(exam("new", "it's old", server_default="new"))
    rows(project, "INSERT INTO exam (state, \"all\") VALUES ('new', '{new}')")
    rows(project, "INSERT INTO exam (state) VALUES ('it''s old')")
    settled(project)
    return story


def labels(project: Any, name: str = "state") -> list[str]:
    return [row[0] for row in rows(project, LABELS.format(name))]


@pytest.mark.parametrize(
    ("wanted", "statement"),
    [
        (["new", "it's old", "50%:a"], "ADD VALUE IF NOT EXISTS '50%"),
        (["first", "new", "it's old"], "ADD VALUE IF NOT EXISTS 'first' BEFORE 'new'"),
        (["new", "a", "b", "it's old"], "ADD VALUE IF NOT EXISTS 'b' AFTER 'a'"),
    ],
)
def test_labels_are_added_at_their_place(filled: Story, wanted: list[str], statement: str) -> None:
    project = filled.with_models(exam(*wanted, server_default="new"))
    check = project.flask("check")
    assert check.exit_code == 1
    assert "ADD VALUE" in check.stdout
    made = ran(project, "migrate")
    assert "  ~ enum state gets " in made.stderr
    assert statement in filled.newest
    assert "autocommit" not in filled.newest
    ran(project, "upgrade")
    assert labels(project) == wanted
    up_down_up(project)
    assert labels(project) == wanted
    assert [row[0] for row in rows(project, "SELECT state FROM exam ORDER BY id")] == [
        "new",
        "it's old",
    ]


def test_a_way_back_stops_on_rows_with_the_label(filled: Story) -> None:
    project = filled.upgraded(exam("new", "it's old", "more", server_default="new"))
    rows(project, "UPDATE exam SET state = 'more' WHERE id = 1")
    assert "# Rows that have 'more' stop it: give them another label first." in filled.newest
    result = project.flask("downgrade")
    assert result.exit_code == 1
    assert 'invalid input value for enum state: "more"' in result.stderr
    assert labels(project) == ["new", "it's old", "more"]


def test_a_new_label_that_the_revision_uses_is_committed_first(filled: Story) -> None:
    project = filled.upgraded(exam("new", "it's old", "more", server_default="more"))
    assert "autocommit_block()" in filled.newest
    rows(project, "INSERT INTO exam (id) VALUES (9)")
    assert rows(project, "SELECT state FROM exam WHERE id = 9") == [("more",)]
    rows(project, "DELETE FROM exam WHERE id = 9")
    up_down_up(project)


def test_labels_in_another_order(filled: Story) -> None:
    project = filled.upgraded(exam("it's old", "new", server_default="new"))
    assert labels(project) == ["it's old", "new"]
    assert rows(project, "SELECT state FROM exam ORDER BY state") == [("it's old",), ("new",)]
    up_down_up(project)


def test_a_removed_label_with_its_default(filled: Story) -> None:
    project = filled.with_models(exam("it's old", "end", server_default="end"))
    result = project.flask("migrate")
    assert result.exit_code == 1
    assert "enum.state.new is gone and enum.state.end (in state) is new" in result.stderr
    assert "--rename enum.state.new:end   or   --drop enum.state.new" in result.stderr
    made = ran(project, "migrate", "--drop", "enum.state.new")
    assert (
        "1 row of exam.state has new, which the models no longer know: the upgrade stops on it. "
        "Give it another label in a revision before it." in made.stderr
    )
    assert "# Rows that have 'new' stop it" in filled.newest
    stopped = project.flask("upgrade")
    assert stopped.exit_code == 1
    assert 'invalid input value for enum state: "new"' in stopped.stderr
    assert len(rows(project, "SELECT 1 FROM exam")) == 2
    rows(project, "UPDATE exam SET state = 'it''s old', \"all\" = NULL")
    ran(project, "upgrade")
    assert labels(project) == ["it's old", "end"]
    up_down_up(project)
    rows(project, "INSERT INTO exam (id) VALUES (9)")
    assert rows(project, "SELECT state FROM exam WHERE id = 9") == [("end",)]


def test_a_renamed_label_takes_its_rows_and_default_along(filled: Story) -> None:
    project = filled.with_models(exam("fresh", "it's old", server_default="fresh"))
    made = ran(project, "migrate", "--rename", "enum.state.new:fresh")
    assert "  ~ label state.new renamed to fresh\n" in made.stderr
    assert "alter_column" not in filled.newest
    ran(project, "upgrade")
    found = rows(project, 'SELECT state, "all"::text FROM exam ORDER BY id')
    assert found == [("fresh", "{fresh}"), ("it's old", None)]
    up_down_up(project)
    ran(project, "downgrade")
    assert labels(project) == ["new", "it's old"]


def test_a_renamed_label_among_others(filled: Story) -> None:
    project = filled.with_models(exam("more", "it's old", "fresh", server_default="fresh"))
    asked: list[str] = []

    def ask(question: Any) -> bool:
        asked.append(f"{question.kind} {question.old} {question.new}")
        return bool(question.new == "enum.state.fresh")

    assert project.repository.revision(autogenerate=True, ask=ask) is not None
    assert "label enum.state.new enum.state.fresh" in asked
    ran(project, "upgrade")
    assert labels(project) == ["more", "it's old", "fresh"]
    assert rows(project, "SELECT state FROM exam ORDER BY id") == [("fresh",), ("it's old",)]
    up_down_up(project)


def test_what_is_said_about_no_label(filled: Story) -> None:
    project = filled.with_models(exam("new", "it's old", server_default="new"))
    wishes = Wishes(renames={"enum.stat.new": "fresh"})
    with pytest.raises(RefusedError, match=r"--rename enum\.stat\.new:fresh: no enum type"):
        project.repository.revision(autogenerate=True, wishes=wishes)


def with_column(db: Any) -> None:
    """``exam`` with a second enum, in a new column and in a new table."""
    exam("new", "it's old", server_default="new")(db)
    kind = sa.Enum("a", "b", name="Kind")
    columns: tuple[sa.Column[Any], ...] = (
        sa.Column("kind", kind, server_default="a", nullable=False),
        sa.Column("other", sa.Enum("new", "it's old", name="state")),
    )
    for column in columns:
        db.metadata.tables["exam"].append_column(column)
    table(db, "grade", sa.Column("kind", kind), sa.Column("state", sa.Enum(*"xy", name="state2")))
    table(db, "mark", sa.Column("kind", kind))


def test_types_are_made_before_and_dropped_after_their_columns(filled: Story) -> None:
    before = exam("new", "it's old", server_default="new")
    project = filled.upgraded(with_column)
    assert filled.newest.count("CREATE TYPE") == 2
    assert "flask_sakyum_migrate" not in filled.newest
    rows(project, "INSERT INTO grade (kind, state) VALUES ('b', 'x')")
    assert rows(project, "SELECT kind FROM exam") == [("a",), ("a",)]
    for _ in range(2):
        ran(project, "downgrade")
        assert labels(project, "Kind") == []
        ran(project, "upgrade")
        assert labels(project, "Kind") == ["a", "b"]
    settled(project)
    gone = filled.upgraded(before, "--allow-drop")
    assert labels(gone, "Kind") == labels(gone, "state2") == []
    assert labels(gone) == ["new", "it's old"]
    ran(gone, "downgrade")
    assert labels(gone, "Kind") == ["a", "b"]
    ran(gone, "upgrade")
    settled(gone)


def test_the_first_table_and_its_type(story: Story) -> None:
    project = story.upgraded(exam("a"))
    for _ in range(2):
        ran(project, "downgrade")
        assert labels(project) == []
        ran(project, "upgrade")
    settled(project)


def test_types_of_others_stay(filled: Story) -> None:
    project = filled.with_models(exam("new", "it's old", server_default="new"))
    rows(project, "CREATE TYPE theirs AS ENUM ('x')")
    rows(project, "CREATE TABLE geo (t theirs)")
    rows(project, "CREATE TYPE unused AS ENUM ('x')")
    settled(project)


class Decorated(sa.TypeDecorator[str]):
    impl = sa.Enum
    cache_ok = True


@pytest.mark.parametrize(
    "make",
    [
        lambda *labels: Decorated(*labels, name="state"),
        lambda *labels: sa.String(9).with_variant(sa.Enum(*labels, name="state"), "postgresql"),
        lambda *labels: sa.Enum(*labels, name="state", schema="other"),
        lambda *labels: sa.dialects.postgresql.ENUM(*labels, name="state", create_type=False),
    ],
    ids=["decorated", "variant", "schema", "create_type"],
)
def test_however_a_model_says_it(story: Story, make: Callable[..., Any]) -> None:
    def models(*labels: str) -> Models:
        return lambda db: table(db, "exam", sa.Column("state", make(*labels)))

    project = story.with_models(models("a"))
    rows(project, "CREATE SCHEMA other")
    ran(project, "migrate")
    ran(project, "upgrade")
    rows(project, "INSERT INTO exam (state) VALUES ('a')")
    settled(project)
    project = story.upgraded(models("a", "b"))
    assert labels(project) == ["a", "b"]
    up_down_up(project)


def test_alembic_postgresql_enum_does_it_when_it_is_there(
    filled: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = filled.with_models(exam("new", "it's old", "more", server_default="new"))
    name = "alembic_postgresql_enum"
    monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    settled(project)
