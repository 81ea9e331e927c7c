"""Primary keys that differ from the models: said, and not changed by themselves."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import ProjectMaker
from tests.database.changing import Models, Story, ran, rows, settled


def seats(*keys: str, more: bool = False) -> Models:
    """Return a model of a table with three columns, of which these are the primary key.

    :param more: there is a fourth column.
    """

    def models(db: Any) -> None:
        columns = [
            sa.Column(name, sa.Integer, primary_key=name in keys, autoincrement=False)
            for name in ("hall", "row", "seat")
        ]
        db.Table("seat", *columns, *([sa.Column("more", sa.Integer)] if more else []))

    return models


BY_HAND = """
revision = "byhand"
down_revision = {down!r}


def upgrade():
    import sqlalchemy as sa
    from alembic import op

    with op.batch_alter_table("seat") as batch:
        if op.get_context().dialect.name == "postgresql":
            batch.drop_constraint("seat_pkey", type_="primary")
        elif op.get_context().dialect.name == "mysql":
            op.execute("ALTER TABLE seat DROP PRIMARY KEY")
        batch.alter_column("row", existing_type=sa.Integer(), nullable=False)
        batch.create_primary_key("pk_seat", ["hall", "row"])


def downgrade():
    pass
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [(["hall"], ["hall", "row"]), (["hall", "row"], ["row"]), (["hall"], ["seat"])],
)
def test_another_key(
    make_project: ProjectMaker, bind_url: str, before: list[str], after: list[str]
) -> None:
    story = Story(make_project, bind_url)
    story.upgraded(seats(*before))
    second = story.with_models(seats(*after, more=True))
    check = second.flask("check")
    assert check.exit_code == 1
    words = f"primary key of seat: {', '.join(before)} -> {', '.join(after)}"
    assert words in check.output
    made = ran(second, "migrate")
    assert f"Not written: {words}" in made.stderr
    assert "Tried on" not in made.stderr
    assert "flask db revision -m" in made.stderr
    assert "more" in story.newest
    assert "primary" not in story.newest
    ran(second, "upgrade")
    assert second.flask("check").exit_code == 1
    assert "No changes in schema detected." in ran(second, "migrate").stderr


@pytest.mark.filterwarnings("ignore:Table '_alembic_tmp")  # Alembic's own, of its copy
def test_it_is_changed_by_hand(make_project: ProjectMaker, bind_url: str) -> None:
    story = Story(make_project, bind_url)
    first = story.upgraded(seats("hall"))
    rows(first, "INSERT INTO seat VALUES (1, 1, 1)")
    second = story.with_models(seats("hall", "row"))
    (head,) = first.repository.heads()
    first.write("byhand.py", BY_HAND.format(down=head.id))
    ran(second, "upgrade")
    settled(second)


def test_a_key_that_is_renamed(make_project: ProjectMaker, bind_url: str) -> None:
    def models(name: str) -> Models:
        return lambda db: db.Table(
            "thing",
            sa.Column(name, sa.Integer, primary_key=True),
            sa.Column("part", sa.Integer, primary_key=True, autoincrement=False),
        )

    story = Story(make_project, bind_url)
    story.upgraded(models("id"))
    settled(story.upgraded(models("number"), "--rename", "thing.id:number"))
