"""``flask db doctor``: everything that may be wrong, each with its mend."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import DatabaseMaker, Project, ProjectMaker, define_user

from .conftest import APP, add_revision, add_table, run_flask, snapshot


def define_named(db: Any) -> None:
    db.metadata.naming_convention = {"uq": "uq_%(column_0_name)s", "fk": "fk_%(column_0_name)s"}
    define_user(db)


@pytest.fixture
def healthy(make_project: ProjectMaker, bind_url: str) -> Project:
    project = make_project(bind_url, models=define_named)
    project.flask("migrate", "-m", "user")
    project.flask("upgrade")
    return project


def checks(project: Project) -> dict[str, dict[str, str]]:
    found = json.loads(project.flask("doctor", "--json").stdout)["checks"]
    return {one["name"]: one for one in found}


def one(project: Project, name: str) -> tuple[str, str, str]:
    found = checks(project)[name]
    return found["state"], found["text"], found["hint"]


def test_nothing_is_wrong(healthy: Project, tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    result = healthy.flask("doctor", "--exit-code")
    assert (result.exit_code, result.stderr) == (0, "")
    assert {line.split()[0] for line in result.stdout.splitlines()} == {"ok"}
    assert snapshot(tmp_path) == before
    found = checks(healthy)
    assert "flask-sakyum-migrate " in found["versions"]["text"]
    assert found["folder"]["text"].endswith("migrations, 1 revision")
    name = healthy.engine().dialect.name
    assert name in found["databases"]["text"].lower()
    assert name == "sqlite" or "driver p" in found["databases"]["text"]


def test_no_database_yet(project: Project, url: str) -> None:
    assert one(project, "databases")[1].endswith(", not there yet")
    assert not Path(url.removeprefix("sqlite:///")).exists()


def test_no_naming_convention(project: Project) -> None:
    state, text, hint = one(project, "naming convention")
    assert state == "look"
    assert text.startswith("the metadata of default has none")
    assert "naming_convention={" in hint


def test_models_that_nobody_imports(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP.format(path=tmp_path))
    (tmp_path / "exam.py").write_text("from app import db\n\n\nclass Exam(db.Model):\n    pass\n")
    run_flask(tmp_path, "db", "init")
    result = run_flask(tmp_path, "db", "doctor")
    assert f"{tmp_path / 'exam.py'}:4 defines Exam, and nothing imports it" in result.stdout
    assert 'Import it in create_app(), or:  Migrate(app, db, models=["exam"])' in result.stdout


def test_no_model_at_all(make_project: ProjectMaker, url: str) -> None:
    project = make_project(url, models=lambda db: None)
    assert one(project, "models")[:2] == (
        "wrong",
        "No model is loaded: db.Model.metadata has 0 tables.",
    )
    assert project.flask("doctor").exit_code == 1
    assert project.flask("doctor", "--exit-code").exit_code == 3


def test_an_env_that_was_edited(project: Project) -> None:
    path = project.path / "migrations" / "env.py"
    path.write_text(path.read_text() + "\nprint\n")
    state, text, hint = one(project, "env.py")
    assert state == "look"
    assert "2 lines differ from the one that flask db init writes" in text
    assert hint == "Compare it with a new one:  flask db -d NAME init"
    assert one(project, "drift")[0] == "ok"  # there is no version, so nothing was compared
    assert one(project, "models and revisions")[0] == "skipped"


def test_an_env_of_flask_migrate(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    import hashlib

    from flask_sakyum_migrate.runtime import known

    path = project.path / "migrations" / "env.py"
    path.write_text("# an old one\n")
    digest = hashlib.sha256(b"# an old one").hexdigest()
    monkeypatch.setitem(known.STOCK[known.EnvKind.STOCK_SINGLE], digest, "2.5.3")
    state, text, _ = one(project, "env.py")
    assert state == "ok"
    assert text.startswith("is the stock env.py of Flask-Migrate (of 2.5.3), unedited")


def test_two_heads(fork: Project) -> None:
    state, text, hint = one(fork, "heads")
    assert state == "wrong"
    assert text == "bb22 (make bb22) is one of 2 heads; cc33 (make cc33) is one of 2 heads"
    assert hint == 'Join them:  flask db merge -m "merge"'


def test_files_that_are_no_history(project: Project) -> None:
    add_revision(project, "bb22", "zz99")
    found = checks(project)
    assert found["heads"]["state"] == "wrong"
    assert "stands on revision zz99" in found["heads"]["text"]
    assert found["drift"]["state"] == "skipped"


def test_pending(line: Project) -> None:
    line.flask("upgrade", "aa11")
    assert one(line, "revisions") == (
        "look",
        "is at aa11, 2 revisions pending",
        "Run:  flask db upgrade",
    )


def test_a_revision_that_no_file_has(line: Project) -> None:
    line.flask("upgrade")
    (line.path / "migrations/versions/cc33.py").unlink()
    state, text, hint = one(line, "revisions")
    assert state == "wrong"
    assert "is at revision cc33, which no file in" in text
    assert hint == "Where it stands:  flask db status"


def test_a_file_that_was_edited_after_it_ran(line: Project) -> None:
    line.flask("upgrade")
    path = line.path / "migrations/versions/cc33.py"
    path.write_text(path.read_text() + "# more\n")
    assert one(line, "revisions")[1] == "cc33 ran, and the file is another one now"


def test_drift(healthy: Project) -> None:
    with healthy.engine().begin() as connection:
        quoted = healthy.engine().dialect.identifier_preparer.quote("user")
        connection.exec_driver_sql(f"ALTER TABLE {quoted} ADD COLUMN extra INTEGER")
    assert one(healthy, "drift") == (
        "look",
        "default: - column user.extra",
        "All of it:  flask db check --drift",
    )


def test_a_server_that_is_away(make_project: ProjectMaker, url: str) -> None:
    away = "postgresql+psycopg://nobody@127.0.0.1:1/none"
    project = make_project(away, binds={"logs": url})
    result = project.flask("doctor")
    assert result.exit_code == 1
    found = json.loads(project.flask("doctor", "--json").stdout)["checks"]
    first, second = (one for one in found if one["name"] == "databases")
    assert (first["state"], second["state"]) == ("wrong", "ok")
    assert "does not answer" in first["text"]
    assert first["hint"].startswith("Is the server running")


def test_leftovers(line: Project) -> None:
    with line.engine().begin() as connection:
        connection.exec_driver_sql("CREATE TABLE _alembic_tmp_one (id INTEGER)")
    state, text, _ = one(line, "leftovers")
    assert (state, text) == (
        "look",
        "default: _alembic_tmp_one is half a copy of the table one",
    )


def test_a_revision_that_is_half_applied(
    make_project: ProjectMaker, make_database: DatabaseMaker
) -> None:
    project = make_project(make_database("mariadb"))
    add_table(project, "aa11", None, "one")
    path = project.path / "migrations/versions/aa11.py"
    path.write_text(path.read_text().replace("primary_key=True))", "primary_key=True)); 1 / 0"))
    assert project.flask("upgrade").exit_code == 1
    assert one(project, "leftovers") == (
        "wrong",
        "default: a revision is half applied",
        "What ran and what did not:  flask db resolve",
    )


def test_a_text_that_amend_left(project: Project) -> None:
    path = project.write("aa11.py.amended", "")
    assert one(project, "leftovers")[1] == f"{path} was left"


def test_an_old_sqlite(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 31, 0))
    state, text, _ = one(project, "databases")
    assert state == "look"
    assert text.endswith("copies a table to drop a column")


def test_the_port_of_a_pooler(
    make_project: ProjectMaker, make_database: DatabaseMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flask_sakyum_migrate import examining

    url = make_database("postgresql")
    monkeypatch.setattr(examining, "_POOLER", sa.make_url(url).port)
    state, text, hint = one(make_project(url), "databases")
    assert state == "look"
    assert text.endswith("on the port of PgBouncer")
    assert "prepare_threshold" in hint


def test_no_migrations_folder(make_project: ProjectMaker, url: str) -> None:
    project = make_project(url, init=False)
    found = checks(project)
    assert found["folder"]["state"] == "wrong"
    assert found["folder"]["hint"].startswith("Make it:  flask db")
    assert found["databases"]["text"] == "for the reason above"
