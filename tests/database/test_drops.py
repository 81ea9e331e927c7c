"""Tables that nobody should drop by accident: those of others, all of them, those not imported."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask_sqlalchemy import SQLAlchemy

from flask_sakyum_migrate import ConfigError
from flask_sakyum_migrate.errors import RefusedError
from flask_sakyum_migrate.wishes import Wishes
from tests.conftest import DatabaseMaker, Project, ProjectMaker


def define(*names: str) -> Callable[[Any], None]:
    """Return what defines tables of these names, with one column and an index."""

    def models(db: Any) -> None:
        for name in names:
            column = sa.Column("name", sa.String(50), index=True)
            db.Table(name, sa.Column("id", sa.Integer, primary_key=True), column)

    return models


@pytest.fixture
def school(make_project: ProjectMaker, bind_url: str) -> Callable[..., Project]:
    """A project at head with the tables ``exam``, ``grade`` and ``user``, one row in each.

    Called with names, it returns the same project when its models are these.
    """
    first = make_project(bind_url, models=define("exam", "grade", "user"))
    assert first.flask("migrate", "-m", "all").exit_code == 0
    assert first.flask("upgrade").exit_code == 0
    with first.engine().begin() as connection:
        for name in ("exam", "grade", "user"):
            row = sa.insert(sa.table(name, sa.column("name"))).values(name="x")
            connection.execute(row)

    def again(*names: str, **options: Any) -> Project:
        directory = first.path / "migrations"
        return make_project(
            bind_url,
            models=define(*names),
            folder=f"with_{'_'.join(names)}",
            directory=directory,
            **options,
        )

    return again


def files(project: Project) -> list[Path]:
    return sorted(Path(project.repository.path, "versions").glob("*.py"))


def execute(project: Project, *statements: str) -> None:
    with project.engine().begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def test_a_table_of_somebody_else_is_left_alone(school: Callable[..., Project]) -> None:
    project = school("exam", "grade", "user")
    execute(
        project,
        "CREATE TABLE geo (id INTEGER, name VARCHAR(20))",
        "CREATE INDEX ix_geo ON geo (name)",
    )
    result = project.flask("migrate")
    assert result.exit_code == 0
    assert result.stderr == (
        "Left alone: table geo, which no model defines and no revision created. "
        "To drop it:  flask db migrate --drop geo\nNo changes in schema detected.\n"
    )
    assert len(files(project)) == 1
    check = project.flask("check")
    assert check.exit_code == 0
    assert "Left alone: table geo" in check.stderr


def test_it_is_dropped_when_it_is_named(school: Callable[..., Project]) -> None:
    project = school("exam", "grade", "user")
    execute(project, "CREATE TABLE geo (id INTEGER)", "INSERT INTO geo VALUES (1)")
    result = project.flask("migrate", "--drop", "geo")
    assert "  - table geo\n  ! lost: geo 1 row\n" in result.stderr
    assert project.flask("upgrade").exit_code == 0
    assert project.tables() == {"alembic_version", "exam", "grade", "user"}


def test_a_table_of_this_history_is_dropped(school: Callable[..., Project]) -> None:
    project = school("exam", "user")
    result = project.flask("migrate", "--rev-id", "ab12")
    assert result.exit_code == 0
    assert "  - table grade\n  ! lost: grade 1 row\n" in result.stderr
    assert "Wrote revision ab12 (drop grade)" in result.stderr
    for _ in range(2):
        assert project.flask("upgrade").exit_code == 0
        assert project.tables() == {"alembic_version", "exam", "user"}
        assert project.flask("downgrade").exit_code == 0
        assert project.tables() == {"alembic_version", "exam", "grade", "user"}


def test_most_of_the_tables_are_not(school: Callable[..., Project]) -> None:
    project = school("user")
    with pytest.raises(RefusedError) as caught:
        project.repository.revision(autogenerate=True)
    assert caught.value.tables == ("exam", "grade")
    assert "would drop 2 of 3 tables with all their rows" in str(caught.value)
    assert "flask db migrate --allow-drop" in str(caught.value)
    assert len(files(project)) == 1
    assert project.repository.check().ok is False  # a report is no revision


def test_unless_it_is_meant(school: Callable[..., Project]) -> None:
    project = school("user")
    wishes = Wishes(drops=frozenset({"exam", "grade"}))
    made = project.repository.revision(autogenerate=True, wishes=wishes)
    assert made is not None
    assert "- table exam" in made.changes
    made.path.unlink()
    allowed = project.repository.revision(autogenerate=True, wishes=Wishes(allow_drop=True))
    assert allowed is not None
    assert allowed.changes == made.changes


@pytest.mark.parametrize("verb", ["migrate", "check"])
def test_no_model_at_all(school: Callable[..., Project], verb: str) -> None:
    project = school()
    result = project.flask(verb)
    assert result.exit_code == 1
    assert result.stderr.startswith(
        "Error: No model is loaded: db.Model.metadata has 0 tables.\nDefine one"
    )
    assert len(files(project)) == 1


def test_the_models_that_nobody_imported_are_named(school: Callable[..., Project]) -> None:
    project = school()
    package = project.path / "exam"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "models.py").write_text("\n\nclass ExamQuestionModel(db.Model):\n    id = 1\n")
    (project.path / "broken.py").write_text("class Half(db.Model:\n")
    hidden = project.path / "venv" / "lib"
    hidden.mkdir(parents=True)
    (hidden / "other.py").write_text("class Other(db.Model):\n    id = 1\n")
    with pytest.raises(ConfigError) as caught:
        project.repository.revision(autogenerate=True)
    assert str(caught.value) == (
        "No model is loaded: db.Model.metadata has 0 tables. "
        f"{package / 'models.py'}:3 defines ExamQuestionModel, and nothing imports it.\n"
        'Import it in create_app(), or:  Migrate(app, db, models=["exam.models"])'
    )
    assert "exam.models" not in sys.modules  # it was read, not imported


def test_two_db_objects(make_project: ProjectMaker, url: str) -> None:
    project = make_project(url, models=define())
    other = SQLAlchemy()
    define("exam", "grade")(other)
    with pytest.raises(ConfigError, match=r"two SQLAlchemy\(\) objects.*has: exam, grade\."):
        project.repository.revision(autogenerate=True)
    del other


def test_partitions_and_members_of_extensions(
    make_project: ProjectMaker, make_database: DatabaseMaker
) -> None:
    project = make_project(make_database("postgresql"), models=define("user"))
    project.flask("migrate", "-m", "user")
    project.write("zz.py", PARTITIONS.format(down=project.repository.heads()[0].id))
    assert project.flask("upgrade").exit_code == 0
    result = project.flask("migrate", "--drop", "log")
    # The revision names the partition; it goes with its table and not by itself.
    assert "Left alone: table log_2026" in result.stderr
    assert "- table log\n" in result.stderr
    assert "- table log_2026" not in result.stderr


PARTITIONS = '''"""partitions"""
from alembic import op

revision = "zz"
down_revision = "{down}"


def upgrade():
    op.execute("CREATE TABLE log (day DATE) PARTITION BY RANGE (day)")
    op.execute(
        "CREATE TABLE log_2026 PARTITION OF log FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')"
    )


def downgrade():
    op.execute("DROP TABLE log")
'''


@pytest.mark.parametrize("where", ["argument", "setting"])
def test_tables_that_are_ignored(
    school: Callable[..., Project], monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    first = school("exam", "grade", "user")
    execute(first, "CREATE TABLE geo (id INTEGER)", "CREATE TABLE task_old (id INTEGER)")
    names = ["geo", "task_*", "grade", "fresh"]
    if where == "setting":
        monkeypatch.setenv("MIGRATE_IGNORE_TABLES", " ".join(names))
    project = school(
        "exam", "user", "fresh", **({"ignore_tables": names} if where == "argument" else {})
    )
    result = project.flask("migrate")
    assert result.exit_code == 0
    assert result.stderr == "No changes in schema detected.\n"
    check = project.flask("check")
    assert (check.exit_code, check.stdout) == (0, "No new upgrade operations detected.\n")
    assert "geo" not in check.stderr


def test_a_pattern_with_a_schema(make_project: ProjectMaker, make_database: DatabaseMaker) -> None:
    def models(db: Any) -> None:
        for schema in (None, "audit"):
            db.Table("log", sa.Column("id", sa.Integer, primary_key=True), schema=schema)

    project = make_project(
        make_database("postgresql"),
        models=models,
        ignore_tables="audit.*",
        include_object=lambda item, name, type_, reflected, other: name != "other",
    )
    result = project.flask("migrate")
    assert "+ table log\n" in result.stderr
    assert "audit.log" not in result.stderr
    assert project.flask("upgrade").exit_code == 0
    assert project.flask("check").exit_code == 0


def test_ignored_tables_that_mean_nothing(make_project: ProjectMaker, url: str) -> None:
    project = make_project(url)
    project.app.config["MIGRATE_IGNORE_TABLES"] = [1]
    result = project.flask("migrate")
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: MIGRATE_IGNORE_TABLES is [1], and has to be a list of names and patterns of "
        "tables.\n"
    )
