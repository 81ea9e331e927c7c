"""A new revision is run on throw-away databases and compared again; what does not fit is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.operations import ops

from flask_sakyum_migrate import scratch
from tests.conftest import DatabaseMaker, Project, ProjectMaker
from tests.database.changing import Models, Story, ran, rows, table

TRIED = "Tried on a throw-away database: up, down, up; then nothing differs from the models.\n"


pytestmark = pytest.mark.usefixtures("scratch_prefix")


def exam(*names: str) -> Models:
    def models(db: Any) -> None:
        table(db, "exam", *(sa.Column(name, sa.String(20), index=True) for name in names))

    return models


def databases(project: Project) -> set[str]:
    if project.engine().dialect.name == "sqlite":
        return set()
    with project.engine().connect() as connection:
        postgresql = connection.dialect.name == "postgresql"
        query = "SELECT datname FROM pg_database" if postgresql else "SHOW DATABASES"
        names = connection.exec_driver_sql(query).scalars()
        return {name for name in names if name.startswith(scratch.PREFIX)}


@pytest.mark.parametrize("option", ["--prove", "--scratch"])
def test_a_revision_that_is_right(make_project: ProjectMaker, bind_url: str, option: str) -> None:
    story = Story(make_project, bind_url)
    story.upgraded(exam("name"))
    project = story.with_models(exam("name", "nick"))
    made = ran(project, "migrate", option)
    assert f"{TRIED}Read the file, then:  flask db upgrade\n" in made.stderr
    assert Path(made.stdout.strip()).exists()
    assert databases(project) == set()
    assert "nick" not in {one["name"] for one in sa.inspect(project.engine()).get_columns("exam")}
    assert TRIED in ran(project, "migrate", "--amend", option).stderr
    ran(project, "upgrade")
    assert TRIED not in ran(project, "migrate", option).stderr


def test_the_first_revision(make_project: ProjectMaker, bind_url: str) -> None:
    assert TRIED in ran(make_project(bind_url, models=exam("name")), "migrate", "--prove").stderr


def hooked(make: ProjectMaker, url: str, hook: Any) -> Project:
    """Return a project whose own hook has the last word on a new revision."""

    def process(context: Any, revision: Any, scripts: Any) -> None:
        hook(scripts[0].upgrade_ops)

    story = Story(make, url, process_revision_directives=process)
    return story.with_models(exam("name", "nick"))


def test_one_that_leaves_something(make_project: ProjectMaker, bind_url: str) -> None:
    def forget(upgrade: ops.UpgradeOps) -> None:
        for one in upgrade.ops:
            if isinstance(one, ops.CreateTableOp):
                one.columns = [it for it in one.columns if getattr(it, "name", "") != "nick"]
            elif isinstance(one, ops.ModifyTableOps):
                one.ops = [it for it in one.ops if "nick" not in str(getattr(it, "index_name", ""))]

    made = ran(hooked(make_project, bind_url, forget), "migrate", "--prove", "--json")
    assert "it runs, and then something still differs:\n  op.add_column('exam'," in made.stderr
    assert "The next flask db migrate would find that again." in made.stderr
    report = json.loads(made.stdout)
    assert report["left"][0].startswith("op.add_column('exam'")


def test_one_that_does_not_run(make_project: ProjectMaker, bind_url: str) -> None:
    project = hooked(
        make_project, bind_url, lambda upgrade: upgrade.ops.append(ops.ExecuteSQLOp("nonsense"))
    )
    result = project.flask("migrate", "--prove")
    assert result.exit_code == 1
    assert "does not run on a throw-away database. The file is there; mend it." in result.stderr
    assert "nonsense" in result.stderr
    assert databases(project) == set()


def test_json(make_project: ProjectMaker, url: str) -> None:
    project = make_project(url, models=exam("name"))
    dry = json.loads(ran(project, "migrate", "--json", "--dry-run").stdout)
    assert "def upgrade() -> None:" in dry["revision"]["text"]
    made = ran(project, "migrate", "--json", "-m", "first", "--rev-id", "ab12")
    report = json.loads(made.stdout)
    path = report["revision"].pop("path")
    assert Path(path).exists()
    assert report == {
        "revision": {
            "id": "ab12",
            "message": "first",
            "down": [],
            "changes": ["+ table exam", "+ index ix_exam_name of exam"],
            "text": "",
            "postponed": [],
        },
        "left": [],
        "failed": "",
    }
    ran(project, "upgrade")
    nothing = ran(project, "migrate", "--json")
    assert json.loads(nothing.stdout) == {"revision": None, "left": None, "failed": ""}
    assert nothing.stderr == "No changes in schema detected.\n"


@pytest.mark.parametrize("option", ["--prove", "--scratch"])
def test_another_database_of_the_server_is_not_reached(
    make_project: ProjectMaker, make_database: DatabaseMaker, option: str
) -> None:
    url = make_database("mariadb")
    other = str(sa.make_url(make_database("mariadb")).database)

    def models(*names: str) -> Models:
        columns = [sa.Column(name, sa.String(20)) for name in names]
        return lambda db: table(db, "exam", *columns, schema=other)

    story = Story(make_project, url)
    first = story.upgraded(models("name"), "--no-prove")
    rows(first, f"INSERT INTO {other}.exam (id) VALUES (1)")
    second = story.with_models(models("name", "nick"))
    refused = second.flask("migrate", option)
    assert refused.exit_code == 1
    assert "is about a table in another database (schema=)" in refused.stderr
    assert "it might reach a real one" in refused.stderr
    assert rows(first, f"SELECT id, name FROM {other}.exam") == [(1, None)]
    assert databases(first) == set()
