"""Verdicts: the files by themselves, the models against them, they against the database."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from flask_sakyum_migrate import HistoryError
from flask_sakyum_migrate.results import Verdict
from tests.conftest import Project, ProjectMaker, define_user_and_log


class Kind(enum.Enum):
    oral = 1
    written = 2


def define_much(db: Any) -> None:
    """Something of everything that databases tell in their own way."""
    db.Table("course", sa.Column("id", sa.Integer, primary_key=True))
    db.Table(
        "exam",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("course_id", sa.ForeignKey("course.id", ondelete="CASCADE"), nullable=False),
        sa.Column("title", sa.String(80), nullable=False, server_default="none", index=True),
        sa.Column("kind", sa.Enum(Kind, name="kind")),
        sa.Column("points", sa.Numeric(8, 2), server_default=sa.text("0")),
        sa.Column("seen", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("day", sa.Date, unique=True),
        sa.Column("made", sa.DateTime, server_default=sa.func.now()),
        sa.Column("text", sa.Text),
        sa.CheckConstraint("points >= 0", name="ck_points"),
        sa.UniqueConstraint("title", "day", name="uq_title_day"),
    )


@pytest.fixture
def school(make_project: ProjectMaker, bind_url: str) -> Project:
    """A database that its only revision made."""
    project = make_project(bind_url, models=define_much)
    assert project.flask("migrate", "-m", "all").exit_code == 0
    assert project.flask("upgrade").exit_code == 0
    return project


def verdict(project: Project, name: str, **more: Any) -> Verdict:
    (found,) = project.repository.verdicts([name], **more).verdicts
    return found


def texts(found: Verdict) -> list[str]:
    return [one.text for one in found.findings]


def by_hand(project: Project, *statements: str) -> None:
    with project.engine().begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


@pytest.mark.parametrize("name", ["heads", "models", "drift", "database"])
def test_nothing_is_wrong(school: Project, name: str) -> None:
    found = verdict(school, name)
    assert (found.ok, found.findings, found.operations) == (True, (), ())


def test_what_was_changed_by_hand(school: Project) -> None:
    by_hand(
        school,
        "ALTER TABLE exam ADD COLUMN extra INTEGER",
        "ALTER TABLE exam DROP COLUMN text",
        "CREATE INDEX ix_by_hand ON exam (points)",
    )
    found = verdict(school, "drift")
    text = "VARCHAR" if school.engine().dialect.name == "oracle" else "TEXT"
    assert sorted(texts(found)) == [
        f"+ column exam.text {text}",
        "- column exam.extra",
        "- index ix_by_hand of exam",
    ]
    code = "\n".join(found.operations)
    assert "op.drop_index(" in code
    assert "'ix_by_hand'" in code
    assert "'extra'" in code
    assert "sa.Column('text'" in code
    assert found.findings[0].path is None
    assert verdict(school, "models").ok


def test_a_column_that_got_another_type_by_hand(
    make_project: ProjectMaker, make_database: Any
) -> None:
    project = make_project(make_database("postgresql"))
    project.flask("migrate", "-m", "user")
    project.flask("upgrade")
    by_hand(project, 'ALTER TABLE "user" ALTER COLUMN name TYPE varchar(99)')
    assert texts(verdict(project, "drift")) == ["~ column user.name VARCHAR(99) -> VARCHAR(50)"]


def test_what_is_pending_is_no_drift(school: Project) -> None:
    school.write(
        "later.py",
        '"""later"""\nfrom alembic import op\nimport sqlalchemy as sa\nrevision = "later"\n'
        f'down_revision = "{school.repository.get("head").id}"\n\n\ndef upgrade():\n'
        '    op.create_table("later", sa.Column("id", sa.Integer))\n',
    )
    assert verdict(school, "drift").ok
    assert texts(verdict(school, "models")) == ["- table later"]


def test_a_table_of_another_application_is_no_drift(school: Project) -> None:
    by_hand(school, "CREATE TABLE somebodys (id INTEGER)")
    assert verdict(school, "drift").ok
    assert verdict(school, "database").ok


def test_a_table_that_was_dropped_by_hand(school: Project) -> None:
    by_hand(school, "DROP TABLE exam")
    assert "+ table exam" in texts(verdict(school, "drift"))


def test_models_need_no_database_of_ones_own(make_project: ProjectMaker, bind_url: str) -> None:
    project = make_project(bind_url, models=define_much)
    project.flask("migrate", "-m", "all")
    assert verdict(project, "models").ok
    project.db.Table("more", sa.Column("id", sa.Integer, primary_key=True))
    found = verdict(project, "models")
    assert texts(found) == ["+ table more"]
    assert "op.create_table('more'," in found.operations[0]
    assert found.findings[0].hint.startswith("Write them into a revision:  flask db migrate")
    assert sa.inspect(project.engine()).get_table_names() == []


def test_a_database_without_a_version(make_project: ProjectMaker, url: str) -> None:
    project = make_project(url, models=define_much)
    project.flask("migrate", "-m", "all", "--scratch")
    found = verdict(project, "drift")
    assert found.ok
    assert found.note == f"{url} has no version: there is nothing to compare it with."
    assert not Path(url.removeprefix("sqlite:///")).exists()


def test_a_revision_that_no_file_has(school: Project) -> None:
    by_hand(school, "UPDATE alembic_version SET version_num = 'zz99'")
    with pytest.raises(HistoryError, match="zz99, which no file in"):
        verdict(school, "drift")


def test_each_bind(make_project: ProjectMaker, make_database: Any) -> None:
    first, second = make_database("sqlite"), make_database("sqlite")
    project = make_project(first, binds={"logs": second}, models=define_user_and_log)
    project.flask("migrate", "-m", "all")
    project.flask("upgrade")
    with project.engine("logs").begin() as connection:
        connection.exec_driver_sql("ALTER TABLE log ADD COLUMN extra INTEGER")
    found = verdict(project, "drift")
    assert [(one.bind, one.text) for one in found.findings] == [("logs", "- column log.extra")]
    assert verdict(project, "drift", bind="default").ok
    assert verdict(project, "models").ok


def test_binds_that_share_a_database(make_project: ProjectMaker, bind_url: str) -> None:
    project = make_project(bind_url, binds={"logs": bind_url}, models=define_user_and_log)
    project.flask("migrate", "-m", "all")
    project.flask("upgrade")
    assert verdict(project, "drift").ok
    by_hand(project, "ALTER TABLE log ADD COLUMN extra INTEGER")
    assert texts(verdict(project, "drift")) == ["- column log.extra"]


# ---- the files by themselves ---------------------------------------------------------------------


def write(project: Project, id: str, down: str) -> Path:
    text = f'"""do {id}"""\nrevision = "{id}"\ndown_revision = {down}\n'
    return project.write(f"{id}.py", f"{text}\n\ndef upgrade():\n    pass\n")


@pytest.mark.parametrize(
    ("parents", "words", "files"),
    [
        (["'bb22'", "'aa11'"], "These revisions stand on each other in a circle", []),
        (["None", "'zz99'"], "stands on revision zz99, which no revision file has", ["bb22.py"]),
    ],
)
def test_files_that_are_no_history(
    make_project: ProjectMaker, parents: Sequence[str], words: str, files: list[str]
) -> None:
    project = make_project("postgresql+psycopg://nobody@127.0.0.1:1/none")
    for id, down in zip(["aa11", "bb22"], parents, strict=True):
        write(project, id, down)
    found = project.repository.verdicts()
    (heads,) = found.verdicts  # nothing else can be asked
    assert (heads.broken, found.ok) == (True, False)
    assert words in heads.findings[0].text
    assert [one.path.name for one in heads.findings if one.path is not None] == files


def test_two_heads_without_a_database(make_project: ProjectMaker) -> None:
    project = make_project("postgresql+psycopg://nobody@127.0.0.1:1/none")
    write(project, "aa11", "None")
    paths = [write(project, id, "'aa11'") for id in ("bb22", "cc33")]
    found = verdict(project, "heads")
    assert [one.path for one in found.findings] == paths
    assert texts(found)[0] == "bb22 (do bb22) is one of 2 heads"
    assert not found.broken
