"""What public projects do with Flask-Migrate beside typing its commands."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import alembic.command
import pytest
from alembic.script import ScriptDirectory
from flask import Flask, g
from flask_sqlalchemy import SQLAlchemy

import flask_sakyum_migrate
from flask_sakyum_migrate import Migrate
from flask_sakyum_migrate.cli import db as db_group
from tests.conftest import Project, ProjectMaker, define_user, table_names

USER = Path(__file__).parent / "histories" / "user"


def test_the_state_has_what_env_files_read(project: Project) -> None:
    state = project.app.extensions["migrate"]
    assert state.db is project.db
    assert state.migrate is project.migrate
    assert state.directory == str(project.path / "migrations")
    assert state.metadata is project.db.metadata


def test_a_command_hung_elsewhere(make_project: ProjectMaker, url: str) -> None:
    project = make_project(url, directory=USER)
    project.app.cli.add_command(db_group.commands["upgrade"], "bring-up")
    result = project.runner.invoke(args=["bring-up"])
    assert result.exit_code == 0, result.output
    assert project.tables() == {"alembic_version", "user"}


def test_a_wrapped_callback_and_a_changed_help(make_project: ProjectMaker, url: str) -> None:
    project = make_project(url, directory=USER)
    command = project.app.cli.commands["db"].commands["heads"]  # type: ignore[attr-defined]
    called, inner, text = [], command.callback, command.help

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        called.append(True)
        return inner(*args, **kwargs)

    command.callback, command.help = wrapped, "Mine."
    try:
        assert project.flask("heads").stdout == "user2 (head)\n"
        assert called == [True]
        assert "Mine." in project.flask("--help").stdout
    finally:
        command.callback, command.help = inner, text


def test_the_group_is_extended_and_renamed(make_project: ProjectMaker, url: str) -> None:
    @db_group.command("mine")
    def mine() -> None:
        """Say hello."""
        print("hello")  # noqa: T201

    try:
        project = make_project(url, directory=USER, command="database")
        assert project.runner.invoke(args=["database", "mine"]).stdout == "hello\n"
        assert project.runner.invoke(args=["database", "heads"]).exit_code == 0
    finally:
        del db_group.commands["mine"]


def test_get_config_with_alembic_commands(make_project: ProjectMaker, url: str) -> None:
    project = make_project(url, directory=USER)
    with project.app.app_context():
        config = project.app.extensions["migrate"].migrate.get_config()
        assert ScriptDirectory.from_config(config).get_current_head() == "user2"
        alembic.command.upgrade(config, "head")
        assert project.tables() == {"alembic_version", "user"}
        alembic.command.stamp(config, "user1")
        assert project.repository.current()[0].heads == ("user1",)


def test_upgrade_while_the_application_is_created(tmp_path: Path, url: str) -> None:
    app = Flask("school", root_path=str(tmp_path))
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    db = SQLAlchemy(app)
    define_user(db)
    Migrate(app, db)
    with app.app_context():
        g.x_arg = []
        for _ in range(3):
            flask_sakyum_migrate.upgrade(USER)
        flask_sakyum_migrate.downgrade(directory=str(USER), revision="-2")
        assert table_names(db.engine) == {"alembic_version"}
        flask_sakyum_migrate.stamp(str(USER))
        db.engine.dispose()


def test_g_without_directory_and_x_arg(make_project: ProjectMaker, url: str) -> None:
    project = make_project(url, directory=USER)
    with project.app.app_context():
        flask_sakyum_migrate.upgrade()
        g.directory = "nowhere"
        with pytest.raises(SystemExit):
            flask_sakyum_migrate.current()


def test_minus_two_behind_two_dashes(make_project: ProjectMaker, url: str) -> None:
    project = make_project(url, directory=USER)
    project.flask("upgrade")
    assert project.flask("downgrade", "--", "-2").exit_code == 0
    assert project.flask("upgrade").exit_code == 0
    assert project.flask("downgrade", "-2").exit_code == 0
    assert project.tables() == {"alembic_version"}


def test_version_locations_set_by_a_callback(project: Project, tmp_path: Path) -> None:
    plugin = tmp_path / "plugin"
    plugin.mkdir()
    (plugin / "p1.py").write_text(
        '"""plugin"""\nrevision = "plugin1"\ndown_revision = None\nbranch_labels = ("plugin",)\n'
        "def upgrade():\n    pass\n\n\ndef downgrade():\n    pass\n"
    )

    @project.migrate.configure
    def with_plugin(config: Any) -> Any:
        config.set_main_option("version_locations", f"%(here)s/versions:{plugin}")
        config.set_main_option("path_separator", ":")
        return config

    assert project.flask("heads").stdout == "plugin1 (plugin) (head)\n"
    assert project.flask("upgrade", "heads").exit_code == 0
    assert project.flask("current").stdout == "plugin1 (head)\n"


def test_a_replaced_script_directory_is_used(
    make_project: ProjectMaker, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Counting(ScriptDirectory):
        runs = 0

        @classmethod
        def from_config(cls, config: Any) -> ScriptDirectory:
            cls.runs += 1
            return super().from_config(config)

    monkeypatch.setattr(alembic.command, "ScriptDirectory", Counting)
    project = make_project(url, directory=USER)
    with project.app.app_context():
        flask_sakyum_migrate.upgrade()
    assert Counting.runs == 1
    assert project.tables() == {"alembic_version", "user"}


def test_an_error_is_one_line_and_ends_the_program(
    make_project: ProjectMaker, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    project = make_project(url, directory=USER)
    with (
        project.app.app_context(),
        caplog.at_level(logging.ERROR),
        pytest.raises(SystemExit) as error,
    ):
        flask_sakyum_migrate.upgrade(revision="nothing")
    assert error.value.code == 1
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "No revision is called nothing" in caplog.text


def test_several_applications(make_project: ProjectMaker, make_database: Any) -> None:
    first = make_project(make_database("sqlite"), directory=USER, folder="first")
    second = make_project(make_database("sqlite"), directory=USER, folder="second")
    assert first.flask("upgrade").exit_code == 0
    assert second.tables() == set()
    assert second.flask("upgrade", "user1").exit_code == 0
    assert first.flask("current").stdout == "user2 (head)\n"
    assert second.flask("current").stdout == "user1\n"


def test_every_function_stays_importable_from_the_package() -> None:
    """No module of this package may have the name of one of Flask-Migrate's functions."""
    import pkgutil

    modules = {info.name for info in pkgutil.iter_modules(flask_sakyum_migrate.__path__)}
    assert modules.isdisjoint(flask_sakyum_migrate.compat.__all__)
