"""Several databases in one folder: found, never ignored, committed or rolled back together."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from flask_sakyum_migrate import ConfigError, StepError
from tests.conftest import DatabaseMaker, Project, ProjectMaker, define_user, define_user_and_log
from tests.database.changing import Models, Story, ran, settled, table

REVISION = '''"""{message}"""
from alembic import op
import sqlalchemy as sa

revision = {id!r}
down_revision = {down!r}
branch_labels = None
depends_on = None


def upgrade() -> None:
    {upgrade}


def downgrade() -> None:
    {downgrade}
'''


@pytest.fixture
def two(make_project: ProjectMaker, make_database: DatabaseMaker, bind_url: str) -> Project:
    """A project with a database of the kind under test for each of its two binds."""
    kind = {"sqlite": "sqlite", "postgresql": "postgresql", "mysql": "mariadb"}[
        sa.make_url(bind_url).get_backend_name()
    ]
    return make_project(bind_url, binds={"logs": make_database(kind)}, models=define_user_and_log)


def test_one_revision_serves_all_binds(two: Project) -> None:
    made = two.repository.revision("create", autogenerate=True)
    assert made is not None
    text = made.path.read_text()
    assert "def upgrade_logs() -> None:\n    # ### commands" in text
    two.repository.upgrade()
    assert two.tables() == {"alembic_version", "user"}
    assert two.tables("logs") == {"alembic_version", "log"}
    assert two.repository.check().ok
    assert two.repository.revision("nothing", autogenerate=True) is None
    assert [one.bind for one in two.repository.current()] == ["default", "logs"]
    two.repository.downgrade("base")
    assert two.tables("logs") == {"alembic_version"}


@pytest.mark.parametrize("kinds", [("sqlite", "mariadb"), ("mariadb", "sqlite")])
def test_each_kind_has_its_own_transactions(
    make_project: ProjectMaker, make_database: DatabaseMaker, kinds: tuple[str, str]
) -> None:
    first, second = map(make_database, kinds)
    project = make_project(first, binds={"logs": second}, models=define_user_and_log)
    made = project.repository.revision("create", autogenerate=True)
    assert made is not None
    project.repository.upgrade()
    assert [one.heads for one in project.repository.positions()] == [(made.id,), (made.id,)]
    project.repository.downgrade("base")
    assert [one.heads for one in project.repository.positions()] == [(), ()]


def test_one_bind_at_a_time(two: Project) -> None:
    two.repository.revision("create", autogenerate=True)
    result = two.repository.upgrade(bind="logs")
    assert [visit.bind for visit in result.visits] == ["logs"]
    assert two.tables() == set()
    assert two.tables("logs") == {"alembic_version", "log"}
    assert [one.heads for one in two.repository.current("default")] == [()]
    two.repository.upgrade()
    assert two.repository.check("default").ok


def test_a_wrong_bind_is_named(two: Project) -> None:
    with pytest.raises(ConfigError, match=r"There is no bind log. The application has: default"):
        two.repository.upgrade(bind="log")


def test_a_bind_added_later_needs_no_new_folder(
    make_project: ProjectMaker, make_database: DatabaseMaker, url: str
) -> None:
    before = make_project(url)
    before.repository.revision("create", autogenerate=True)
    before.repository.upgrade()
    after = make_project(url, binds={"logs": make_database("sqlite")}, models=define_user_and_log)
    with_logs = after.repository.upgrade()  # brings the new database to where the others are
    assert [visit.bind for visit in with_logs.visits if visit.steps] == ["logs"]
    made = after.repository.revision("add log", autogenerate=True)
    assert made is not None
    default, _, logs = made.path.read_text().partition("def upgrade_logs() -> None:")
    assert "op." not in default and "create_table('log'" in logs
    after.repository.upgrade()
    assert after.tables("logs") == {"alembic_version", "log"}


def test_a_failure_on_a_later_bind_rolls_the_earlier_one_back(two: Project) -> None:
    two.repository.revision("create", autogenerate=True)
    broken = (
        "op.create_table('extra', sa.Column('id', sa.Integer, primary_key=True))\n\n\n"
        "def upgrade_logs() -> None:\n    op.execute('SELECT nothing FROM nowhere')"
    )
    two.repository.upgrade()
    head = two.repository.heads()[0].id
    two.write(
        "broken.py",
        REVISION.format(
            id="broken1", down=head, message="broken", upgrade=broken, downgrade="pass"
        ),
    )
    with pytest.raises(StepError, match=r"upgrade of broken1 \(broken\) on bind logs failed") as e:
        two.repository.upgrade()
    assert e.value.line == 16
    mysql = two.engine().dialect.name in ("mysql", "mariadb")
    assert ("extra" in two.tables()) is mysql  # DDL commits there, and the message says so
    assert [one.heads for one in two.repository.positions()] == (
        [("broken1",), (head,)] if mysql else [(head,), (head,)]
    )


def test_two_keys_with_one_url_share_a_connection(
    make_project: ProjectMaker, bind_url: str
) -> None:
    project = make_project(bind_url, binds={"logs": bind_url}, models=define_user_and_log)
    made = project.repository.revision("create", autogenerate=True)
    assert made is not None
    assert "create_table('log'" in made.path.read_text().partition("def upgrade_logs")[2]
    result = project.repository.upgrade()
    assert [visit.bind for visit in result.visits] == ["default+logs"]
    assert project.tables() == {"alembic_version", "user", "log"}
    assert project.repository.check().ok
    assert project.repository.revision("nothing", autogenerate=True) is None
    project.repository.downgrade("base")
    assert project.tables() == {"alembic_version"}


def test_no_default_database(make_project: ProjectMaker, make_database: DatabaseMaker) -> None:
    def define_log(db: Any) -> None:
        db.Table("log", sa.Column("id", sa.Integer, primary_key=True), bind_key="logs")

    project = make_project(None, binds={"logs": make_database("sqlite")}, models=define_log)
    project.repository.revision("create", autogenerate=True)
    project.repository.upgrade()
    assert project.tables("logs") == {"alembic_version", "log"}
    assert project.repository.check().ok


def test_tables_of_a_bind_without_a_database_are_not_ignored(
    make_project: ProjectMaker, url: str
) -> None:
    project = make_project(url, models=define_user_and_log)
    with pytest.raises(ConfigError, match="Table log belongs to the bind logs") as error:
        project.repository.check()
    assert 'SQLALCHEMY_BINDS = {"logs": "sqlite:///logs.db"}' in str(error.value)


def test_only_some_binds(
    make_project: ProjectMaker, make_database: DatabaseMaker, url: str
) -> None:
    logs = make_database("sqlite")
    options: dict[str, Any] = {"binds": {"logs": logs}, "models": define_user_and_log}
    project = make_project(url, **options)
    project.migrate.init_app(project.app, project.db, binds=["default"])
    project.repository.revision("create", autogenerate=True)
    project.repository.upgrade()
    assert project.tables("logs") == set()
    assert project.repository.check().ok


def test_several_metadata_for_one_database(make_project: ProjectMaker, bind_url: str) -> None:
    other = sa.MetaData()
    sa.Table("grade", other, sa.Column("id", sa.Integer, primary_key=True))
    project = make_project(bind_url)
    env = project.path / "migrations" / "env.py"
    text = env.read_text().replace("db.Model.metadata", "[db.Model.metadata, db.other]")
    env.write_text(text)
    project.db.other = other
    project.repository.revision("create", autogenerate=True)
    project.repository.upgrade()
    assert project.tables() == {"alembic_version", "user", "grade"}
    assert project.repository.check().ok


def test_models_of_one_database_leave_the_tables_of_the_other_alone(
    make_project: ProjectMaker, bind_url: str
) -> None:
    """Sharing a database, the default bind must not drop what belongs to the other key."""
    project = make_project(bind_url, binds={"logs": bind_url}, models=define_user_and_log)
    project.repository.revision("create", autogenerate=True)
    project.repository.upgrade()
    only_user = make_project(bind_url, models=define_user)
    assert "drop_table('log')" in "".join(only_user.repository.check().operations)
    assert project.repository.check().ok


def test_what_changes_is_said_with_the_bind(
    make_project: ProjectMaker, make_database: DatabaseMaker
) -> None:
    def models(db: Any) -> None:
        table(db, "thing")
        table(db, "thing", bind_key="b")

    story = Story(make_project, make_database("sqlite"), binds={"b": make_database("sqlite")})
    made = ran(story.with_models(models), "migrate")
    assert made.stderr.startswith("  default: + table thing\n  b: + table thing\n")
    assert "(add thing)" in made.stderr


@pytest.mark.parametrize("kept", ["a", "b"])
def test_a_rename_in_one_of_two_tables_of_one_name(
    make_project: ProjectMaker, make_database: DatabaseMaker, kept: str
) -> None:
    """What is said is meant for the database where it can be done."""

    def models(**columns: str) -> Models:
        def define(db: Any) -> None:
            for key, name in columns.items():
                where = {} if key == "a" else {"bind_key": "b"}
                table(db, "thing", sa.Column(name, sa.Integer), **where)

        return define

    story = Story(make_project, make_database("sqlite"), binds={"b": make_database("sqlite")})
    story.upgraded(models(a="old", b="old"))
    names = {"a": "new", "b": "new", kept: "old"}
    second = story.with_models(models(**names))
    refused = second.flask("migrate")
    assert "--rename thing.old:new" in refused.stderr
    ran(second, "migrate", "--rename", "thing.old:new")
    assert "add_column" not in story.newest
    ran(second, "upgrade")
    settled(second)
    third = story.with_models(models(**names))
    in_vain = third.flask("migrate", "--rename", "thing.old:other")
    assert in_vain.exit_code == 1
    assert "thing.old cannot become other: " in in_vain.stderr
