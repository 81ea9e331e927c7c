"""Databases that create_all() made, models that are ahead, files that are written anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from flask_sakyum_migrate import ConfigError, DatabaseError, HistoryError, StepError, scratch
from flask_sakyum_migrate.errors import DatabaseBehindError, RefusedError
from tests.conftest import Project, ProjectMaker

ENV = """
from alembic import context
from flask import current_app

db = current_app.extensions["migrate"].db
with db.engine.connect() as connection:
    context.configure(connection=connection, target_metadata=db.metadata)
    with context.begin_transaction():
        context.run_migrations()
"""


def define(*columns: str) -> Callable[[Any], None]:
    """Return what defines the tables ``user``, with these further columns, and ``exam``."""

    def models(db: Any) -> None:
        more = [sa.Column(name, sa.Integer) for name in columns]
        db.Table(
            "user",
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("name", sa.String(50), index=True),
            *more,
        )
        db.Table(
            "exam",
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("user_id", sa.ForeignKey("user.id", name="fk_exam_user")),
        )

    return models


class School:
    """One folder and one database, with models that change."""

    def __init__(self, make_project: ProjectMaker, url: str) -> None:
        self._make = make_project
        self.url = url
        self.first = make_project(url, models=define())
        self.folder = self.first.path / "migrations"

    def with_columns(self, *columns: str, **options: Any) -> Project:
        name = f"with_{'_'.join(columns)}"
        options = {"folder": name, "directory": self.folder, **options}
        return self._make(self.url, models=define(*columns), **options)

    def create_all(self) -> None:
        with self.first.app.app_context():
            self.first.db.create_all()
        with self.first.engine().begin() as connection:
            connection.execute(sa.text("INSERT INTO exam (id) VALUES (1)"))

    def files(self) -> list[Path]:
        return sorted((self.folder / "versions").glob("*.py"))


@pytest.fixture
def school(make_project: ProjectMaker, bind_url: str) -> School:
    return School(make_project, bind_url)


pytestmark = pytest.mark.usefixtures("scratch_prefix")


def scratch_databases(project: Project) -> list[str]:
    """Return the throw-away databases that are left on the server."""
    engine = project.engine()
    if engine.dialect.name == "sqlite":
        return []
    query = (
        "SHOW DATABASES"
        if engine.dialect.name != "postgresql"
        else "SELECT datname FROM pg_database"
    )
    with engine.connect() as connection:
        names = connection.exec_driver_sql(query).scalars().all()
    return [name for name in names if name.startswith(scratch.PREFIX)]


# ---- databases without a version -------------------------------------------------------------


def test_migrate_points_to_baseline(school: School) -> None:
    school.create_all()
    result = school.first.flask("migrate")
    assert result.exit_code == 1
    assert "has exam, user and no version: db.create_all() made them." in result.stderr
    assert "Adopt the database once with:  flask db baseline" in result.stderr
    assert school.files() == []


def test_upgrade_points_to_baseline(school: School) -> None:
    with school.first.repository.scratch(None) as empty:
        empty.revision("first", autogenerate=True)
    school.create_all()
    with pytest.raises(StepError, match="flask db baseline"):
        school.first.repository.upgrade()
    with pytest.raises(DatabaseBehindError, match="flask db baseline"):
        school.first.repository.revision(autogenerate=True)


def test_a_database_like_the_models_is_adopted(school: School) -> None:
    school.create_all()
    result = school.first.flask("baseline")
    assert result.exit_code == 0
    (path,) = school.files()
    assert result.stdout == f"{path}\n"
    head = school.first.repository.heads()[0]
    assert head.message == "baseline"
    assert f"The databases are stamped {head.id}. They are as the models are." in result.stderr
    assert school.first.repository.current()[0].heads == (head.id,)
    assert "No changes" in school.first.flask("migrate").stderr
    again = school.first.flask("baseline")
    assert again.exit_code == 1
    assert "it was adopted already" in again.stderr
    assert scratch_databases(school.first) == []


def test_its_revision_makes_the_same_tables(school: School) -> None:
    school.create_all()
    school.first.flask("baseline", "-m", "what there was")
    assert school.first.flask("downgrade", "base").exit_code == 0
    assert school.first.tables() == {"alembic_version"}
    assert school.first.flask("upgrade").exit_code == 0
    assert school.first.flask("check").exit_code == 0


def test_what_differs_is_listed_and_nothing_is_stamped(school: School) -> None:
    school.create_all()
    ahead = school.with_columns("age")
    result = ahead.flask("baseline")
    assert result.exit_code == 1
    assert "sa.Column('age', sa.Integer(), nullable=True)" in result.stdout
    assert "Nothing was stamped" in result.stderr
    assert ahead.repository.current()[0].heads == ()
    # It was written, so the second run only compares.
    assert len(school.files()) == 1
    assert ahead.flask("baseline", "--accept").exit_code == 0
    assert len(school.files()) == 1
    assert ahead.repository.current()[0].heads == (ahead.repository.heads()[0].id,)
    assert ahead.flask("migrate").exit_code == 0
    assert ahead.flask("upgrade").exit_code == 0
    assert ahead.flask("check").exit_code == 0


# ---- catching up -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["update", "update_db"])
def test_update_does_all_of_it(school: School, name: str) -> None:
    assert school.first.flask(name).exit_code == 0
    assert school.first.tables() == {"alembic_version", "exam", "user"}
    ahead = school.with_columns("age")
    result = ahead.flask(name, "-m", "ages")
    assert result.exit_code == 0
    assert "  + column user.age INTEGER\n" in result.stderr
    assert [node.message for node in ahead.repository.history()] == ["ages", "add user, add exam"]
    assert ahead.flask("check").exit_code == 0
    nothing = ahead.flask(name)
    assert nothing.exit_code == 0
    assert "The models and the databases are the same." in nothing.stderr


def test_update_applies_what_is_pending_first(school: School) -> None:
    school.first.flask("migrate", "-m", "first")
    done = school.with_columns("age").repository.update("ages")
    assert done.pending is not None
    assert done.applied is not None
    assert [step.message for step in (*done.pending.steps, *done.applied.steps)] == [
        "first",
        "ages",
    ]


def test_update_refuses_a_protected_database(school: School) -> None:
    school.first.app.config["MIGRATE_PROTECTED"] = True
    with pytest.raises(RefusedError, match="is protected, and update applies what nobody has read"):
        school.first.repository.update()
    assert school.files() == []


def test_migrate_with_upgrade(school: School) -> None:
    school.first.flask("migrate", "-m", "first")
    ahead = school.with_columns("age")
    assert ahead.flask("migrate").exit_code == 1
    result = ahead.flask("migrate", "--upgrade", "-m", "ages")
    assert result.exit_code == 0
    assert "[1/1]" in result.stderr
    assert len(school.files()) == 2
    assert [node.message for node in ahead.repository.pending()] == ["ages"]


# ---- throw-away databases --------------------------------------------------------------------


def test_migrate_against_scratch_does_not_need_the_database(school: School) -> None:
    school.first.flask("migrate", "-m", "first")
    ahead = school.with_columns("age")
    result = ahead.flask("migrate", "--scratch", "-m", "ages")
    assert result.exit_code == 0
    assert len(school.files()) == 2
    assert "+ column user.age INTEGER" in result.stderr
    assert ahead.tables() == set()  # nobody touched it
    assert ahead.flask("migrate", "--scratch").stderr == "No changes in schema detected.\n"
    assert scratch_databases(ahead) == []
    assert ahead.flask("upgrade").exit_code == 0
    assert ahead.flask("check").exit_code == 0


def test_a_scratch_database_goes_when_it_fails(school: School) -> None:
    school.first.write(
        "bad.py", 'revision = "bad"\ndown_revision = None\n\ndef upgrade():\n    1 / 0\n'
    )
    with pytest.raises(StepError, match="ZeroDivisionError"), school.first.repository.scratch():
        pass
    assert scratch_databases(school.first) == []


def test_an_env_of_ones_own_has_no_scratch(school: School) -> None:
    (school.folder / "env.py").write_text(ENV)
    with (
        pytest.raises(ConfigError, match="opens its own connections"),
        school.first.repository.scratch(),
    ):
        pass


def test_a_user_who_may_not_make_databases(
    make_project: ProjectMaker, make_database: Callable[[str], str]
) -> None:
    project = make_project(make_database("postgresql"))
    name = f"role_of_{project.engine().url.database}"
    engine = sa.create_engine(project.engine().url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {name} LOGIN")
        url = engine.url.set(username=name).render_as_string(hide_password=False)
        repository = make_project(url, folder="poor").repository
        refused = pytest.raises(DatabaseError, match="needs the right to create databases")
        with refused, repository.scratch():
            pass
        connection.exec_driver_sql(f"DROP ROLE {name}")
    engine.dispose()


# ---- a file written anew ---------------------------------------------------------------------


def test_the_newest_file_is_written_anew(school: School) -> None:
    school.first.flask("update", "-m", "first")
    made = school.with_columns("age").repository.revision("ages", autogenerate=True)
    assert made is not None
    ahead = school.with_columns("age", "size")
    result = ahead.flask("migrate", "--amend")
    assert result.exit_code == 0
    assert len(school.files()) == 2
    head = ahead.repository.get("head")
    assert (head.id, head.message, head.down) == (made.id, "ages", made.down)
    assert "size" in Path(head.path).read_text()
    assert not list(school.folder.rglob("*.amended"))
    assert ahead.flask("upgrade").exit_code == 0
    assert ahead.flask("check").exit_code == 0


def test_not_when_it_has_run(school: School) -> None:
    school.first.flask("update", "-m", "first")
    with pytest.raises(HistoryError, match="it has run, so it is not written anew"):
        school.with_columns("age").repository.amend()


def test_a_refusal_leaves_the_old_file(school: School) -> None:
    school.first.flask("update", "-m", "first")
    made = school.with_columns("age").repository.revision("ages", autogenerate=True)
    assert made is not None
    text = made.path.read_text()
    nothing = school.first.flask("migrate", "--amend")
    assert "No changes in schema detected." in nothing.stderr
    assert made.path.read_text() == text
    with school.first.engine().begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = 'gone'"))
    with pytest.raises(HistoryError):
        school.with_columns("age", "size").repository.amend()
    assert made.path.read_text() == text


def test_amend_keeps_the_place(school: School) -> None:
    result = school.first.flask("migrate", "--amend", "--rev-id", "ab12")
    assert result.exit_code == 2
    assert "--amend keeps the place of the revision: no --rev_id." in result.stderr
