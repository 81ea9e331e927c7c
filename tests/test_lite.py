"""The ``db`` may be Flask-SQLAlchemy-Lite, which does not know the models' metadata."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest
from flask import Flask

from flask_sakyum_migrate import ConfigError, Migrate
from tests.conftest import DatabaseMaker
from tests.test_kinds_of_db import table, whole_life

if version("flask") < "3":
    pytest.skip("Flask-SQLAlchemy-Lite needs Flask 3", allow_module_level=True)

import flask_sqlalchemy_lite


def test_lite(tmp_path: Path, make_database: DatabaseMaker) -> None:
    app = Flask("lite", root_path=str(tmp_path))
    app.config["SQLALCHEMY_ENGINES"] = {
        "default": make_database("sqlite"),
        "logs": make_database("sqlite"),
    }
    db = flask_sqlalchemy_lite.SQLAlchemy(app)
    metadatas = {"default": table("user"), "logs": table("log")}
    migrate = Migrate(app, db, tmp_path / "migrations", metadatas=metadatas)
    assert whole_life(migrate, app) == {"alembic_version", "user"}
    env = (tmp_path / "migrations" / "env.py").read_text()
    assert "target_metadata = application().metadata\n" in env
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()


def test_lite_without_metadata_says_what_to_give(
    tmp_path: Path, make_database: DatabaseMaker
) -> None:
    app = Flask("lite", root_path=str(tmp_path))
    app.config["SQLALCHEMY_ENGINES"] = {"default": make_database("sqlite")}
    migrate = Migrate(app, flask_sqlalchemy_lite.SQLAlchemy(app), tmp_path / "migrations")
    with app.app_context():
        migrate.repository.init()
        with pytest.raises(ConfigError, match=r"Migrate\(app, db, metadatas=Base.metadata\)"):
            migrate.repository.upgrade()
