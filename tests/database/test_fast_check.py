"""The fast ``check``: a few queries prove tables equal, and what is not proved is compared.

That it says what the slow one says is seen in every test that compares: ``tests/fast_and_slow.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import alembic.autogenerate
import pytest
import sqlalchemy as sa

from flask_sakyum_migrate.autogenerate.fast import mysql
from flask_sakyum_migrate.autogenerate.fast.comparators import is_usual
from tests import fast_and_slow
from tests.conftest import Project, ProjectMaker
from tests.database.changing import Story, ran, rows, settled, table

KINDS = ("red", "green")


def school(count: int = 2) -> Any:
    """Return models with one of everything that is proved, in ``count`` tables and one beside."""

    def models(db: Any) -> None:
        table(db, "school", sa.Column("name", sa.String(50), unique=True, comment="as it's said"))
        for number in range(count):
            table(
                db,
                f"exam{number}",
                sa.Column("name", sa.String(50), nullable=False, index=True),
                sa.Column("select", sa.Integer, server_default="5"),
                sa.Column("colour", sa.Enum(*KINDS, name="colour")),
                sa.Column("price", sa.Numeric(10, 2), nullable=False, server_default="1.50"),
                sa.Column("made", sa.DateTime, server_default=sa.func.now()),
                sa.Column("body", sa.JSON),
                sa.Column("school_id", sa.ForeignKey("school.id", ondelete="CASCADE")),
                sa.UniqueConstraint("name", "price", name=f"uq_exam{number}"),
                sa.Index(f"ix_exam{number}_both", "price", "name", unique=True),
                comment="a table",
            )

    return models


@contextmanager
def statements(project: Project) -> Iterator[list[str]]:
    """Note what is asked of the database meanwhile."""
    asked: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *more: Any) -> None:
        asked.append(statement)

    with project.app.app_context():
        engine = project.db.engine
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)


def asked(project: Project, *, fast: bool = True) -> int:
    """Return how many statements one check takes, in which nothing differs."""
    with project.app.app_context(), statements(project) as found:
        result = fast_and_slow._check(project.repository, fast=fast)
    assert result.ok
    return len(found)


@pytest.fixture
def story(make_project: ProjectMaker, bind_url: str) -> Story:
    return Story(make_project, bind_url)


def test_more_tables_are_no_more_statements(make_project: ProjectMaker, bind_url: str) -> None:
    story = Story(make_project, bind_url)
    few = asked(story.upgraded(school(2)))
    assert asked(story.upgraded(school(12))) == few


def test_one_table_is_compared_where_all_are_equal(
    make_project: ProjectMaker, bind_url: str
) -> None:
    compared = set()

    def include_object(item: Any, name: Any, kind: str, *more: Any) -> bool:
        if kind == "column":
            compared.add(item.table.name)
        return True

    project = Story(make_project, bind_url, include_object=include_object).upgraded(school())
    for fast, tables in ((True, {"exam0"}), (False, {"school", "exam0", "exam1"})):
        compared.clear()
        asked(project, fast=fast)
        assert compared == tables


CHANGES = {
    "an index less": ["DROP INDEX ix_exam1_name", "DROP INDEX ix_exam1_name ON exam1"],
    "a column more": ["ALTER TABLE exam1 ADD COLUMN more INTEGER"],
    "a column less": ["ALTER TABLE exam1 DROP COLUMN body"],
    "an index more": ["CREATE INDEX ix_more ON exam1 (made)"],
    "a unique index more": ["CREATE UNIQUE INDEX ix_more ON exam1 (made)"],
    "a table less": ["DROP TABLE exam1"],
}
ON_SERVERS = {
    "a type": [
        "ALTER TABLE exam1 ALTER COLUMN name TYPE VARCHAR(60)",
        "ALTER TABLE exam1 MODIFY name VARCHAR(60) NOT NULL",
    ],
    "a default": ["ALTER TABLE exam1 ALTER COLUMN price SET DEFAULT 1.75"],
    "a default less": ["ALTER TABLE exam1 ALTER COLUMN price DROP DEFAULT"],
    "a default more": ["ALTER TABLE exam1 ALTER COLUMN name SET DEFAULT 'x'"],
    "NULL allowed": [
        "ALTER TABLE exam1 ALTER COLUMN name DROP NOT NULL",
        "ALTER TABLE exam1 MODIFY name VARCHAR(50) NULL",
    ],
    "a comment of a column": [
        "COMMENT ON COLUMN exam1.name IS 'other'",
        "ALTER TABLE exam1 MODIFY name VARCHAR(50) NOT NULL COMMENT 'other'",
    ],
    "a comment": ["COMMENT ON TABLE exam1 IS 'other'", "ALTER TABLE exam1 COMMENT 'other'"],
    "a constraint less": [
        "ALTER TABLE exam1 DROP CONSTRAINT uq_exam1",
        "ALTER TABLE exam1 DROP INDEX uq_exam1",
    ],
    "a foreign key more": [
        "ALTER TABLE exam1 ADD CONSTRAINT fk_more FOREIGN KEY (id) REFERENCES school (id)"
    ],
    "an index in another order": [
        "DROP INDEX ix_exam1_both; CREATE UNIQUE INDEX ix_exam1_both ON exam1 (name, price)",
        "ALTER TABLE exam1 DROP INDEX ix_exam1_both, ADD UNIQUE INDEX ix_exam1_both (name, price)",
    ],
}


def run_one(project: Project, choices: list[str]) -> None:
    """Run the statement that is for this kind of database: the last is for MariaDB."""
    engine = project.engine()
    text = choices[-1] if engine.dialect.name == "mysql" else choices[0]
    with engine.begin() as connection:
        for statement in text.split(";"):
            connection.execute(sa.text(statement))


@pytest.mark.parametrize("what", CHANGES)
def test_what_was_changed_by_hand_is_found(story: Story, what: str) -> None:
    project = story.upgraded(school())
    settled(project)
    run_one(project, CHANGES[what])
    assert project.flask("check").exit_code == 1


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
@pytest.mark.parametrize("what", ON_SERVERS)
def test_what_was_altered_by_hand_is_found(
    make_project: ProjectMaker, make_database: Any, kind: str, what: str
) -> None:
    project = Story(make_project, make_database(kind)).upgraded(school())
    run_one(project, ON_SERVERS[what])
    assert project.flask("check").exit_code == 1


TRICKY = {
    "a sorted index": ["CREATE INDEX ix_more ON exam1 (made DESC)"],
    "a rule of a foreign key": [
        "CREATE TABLE exam2 (id INTEGER PRIMARY KEY, school_id INTEGER, "
        "FOREIGN KEY (school_id) REFERENCES school (id) ON DELETE SET NULL)"
    ],
}


@pytest.mark.parametrize("what", TRICKY)
def test_what_is_rare_is_compared(story: Story, what: str) -> None:
    project = story.upgraded(school())
    run_one(project, TRICKY[what])
    project.flask("check")  # in both ways, which say the same


def test_the_slow_way_can_be_asked_for(story: Story) -> None:
    project = story.upgraded(school())
    for option in ("--fast", "--no-fast"):
        assert ran(project, "check", option).stdout == "No new upgrade operations detected.\n"
    run_one(project, CHANGES["an index more"])
    outputs = {project.flask("check", option).output for option in ("--fast", "--no-fast")}
    assert len(outputs) == 1


def test_a_comparison_of_somebody_else_sees_every_table(story: Story) -> None:
    project = story.upgraded(school())
    seen = set()

    def compare(context: Any, ops: Any, schema: Any, name: Any, *tables: Any) -> None:
        seen.add(str(name))

    registry = alembic.autogenerate.comparators._registry
    before = {key: list(functions) for key, functions in registry.items()}
    alembic.autogenerate.comparators.dispatch_for("table")(compare)
    try:
        with project.app.app_context():
            assert fast_and_slow._check(project.repository).ok
    finally:
        registry.clear()
        registry.update(before)
    assert seen == {"school", "exam0", "exam1"}


def test_alembic_compares_with_what_is_known(story: Story) -> None:
    from alembic.autogenerate.api import AutogenContext
    from alembic.runtime.migration import MigrationContext

    engine = story.upgraded(school()).engine()
    with engine.connect() as connection:
        options = {"target_metadata": sa.MetaData()}
        context = MigrationContext.configure(connection, opts=options)
        assert is_usual(AutogenContext(context))


@pytest.mark.parametrize("option", ["compare_type", "compare_server_default"])
def test_who_compares_in_his_own_way_is_asked_of_every_column(
    make_project: ProjectMaker, bind_url: str, option: str
) -> None:
    columns = set()

    def compare(context: Any, stored: Any, model: Any, *more: Any) -> bool:
        columns.add(f"{model.table.name}.{model.name}")
        return False

    project = Story(make_project, bind_url, **{option: compare}).upgraded(school(1))
    columns.clear()
    with project.app.app_context():
        assert fast_and_slow._check(project.repository).ok
    assert {"exam0.select", "exam0.price", "exam0.made"} <= columns


def test_a_name_that_is_not_to_be_seen(make_project: ProjectMaker, bind_url: str) -> None:
    def include_name(name: Any, kind: str, parents: Any) -> bool:
        return (kind, name) not in [("column", "made"), ("index", "ix_exam1_name")]

    before = Story(make_project, bind_url).upgraded(school())
    project = make_project(
        bind_url,
        models=school(),
        folder="filtered",
        directory=before.path / "migrations",
        include_name=include_name,
    )
    # Alembic would make again what it is not to look at.
    assert project.flask("check").exit_code == 1


def test_mariadb_cuts_long_texts_off(make_project: ProjectMaker, make_database: Any) -> None:
    url = make_database("mariadb")
    project = Story(make_project, url).upgraded(school())
    with project.engine().connect() as connection:
        whole = mysql.read(connection, {None})
        cut = set()
        for length in range(50, 1500, 7):
            connection.execute(sa.text(f"SET SESSION group_concat_max_len = {length}"))
            for place, stored in mysql.read(connection, {None}).items():
                assert stored.special or stored == whole[place], length
                if stored.special:
                    cut.add(place)
    assert not any(stored.special for stored in whole.values())
    assert {(None, "school"), (None, "exam0")} <= cut

    limited = f"{url}?init_command=SET SESSION group_concat_max_len = 300"
    again = Story(make_project, limited).upgraded(school())
    with again.app.app_context():
        assert fast_and_slow._check(again.repository).ok


def test_a_user_who_may_not_make_temporary_tables(
    make_project: ProjectMaker, make_database: Any
) -> None:
    url = make_database("mariadb")
    project = Story(make_project, url).upgraded(school())
    name = str(sa.make_url(url).database)
    user = f"reader_{name[-8:]}"
    rows(project, f"CREATE USER {user}@'%%' IDENTIFIED BY 'x'")
    try:
        rows(project, f"GRANT SELECT ON {name}.* TO {user}@'%%'")
        limited = sa.make_url(url).set(username=user, password="x")
        as_user = make_project(
            limited.render_as_string(hide_password=False),
            models=school(),
            folder="as_user",
            directory=project.path / "migrations",
        )
        assert as_user.flask("check").exit_code == 0
    finally:
        rows(project, f"DROP USER {user}@'%%'")
