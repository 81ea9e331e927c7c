"""A new revision is run on throw-away databases and compared again; what does not fit is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.operations import ops

from tests.conftest import Project, ProjectMaker
from tests.database.changing import Models, Story, ran, table

TRIED = "Tried on a throw-away database: up, down, up; then nothing differs from the models.\n"


pytestmark = pytest.mark.usefixtures("scratch_prefix")


def exam(*names: str) -> Models:
    def models(db: Any) -> None:
        table(db, "exam", *(sa.Column(name, sa.String(20), index=True) for name in names))

    return models


def databases(project: Project) -> set[str]:
    if project.engine().dialect.name == "sqlite":
        return set()
    return {name for name in sa.inspect(project.engine()).get_schema_names() if "scratch_" in name}


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
        },
        "left": None,
    }
    ran(project, "upgrade")
    nothing = ran(project, "migrate", "--json")
    assert json.loads(nothing.stdout) == {"revision": None, "left": None}
    assert nothing.stderr == "No changes in schema detected.\n"
