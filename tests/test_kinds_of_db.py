"""The ``db`` may be Flask-SQLAlchemy, plain SQLAlchemy, or look like one. (Lite: test_lite.py)"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_sakyum_migrate import ConfigError, Migrate
from tests.conftest import DatabaseMaker, Project, ProjectMaker, define_user, table_names

Engines = Callable[[str], sa.Engine]


@pytest.fixture
def engines() -> Iterator[Engines]:
    made: list[sa.Engine] = []

    def make(url: str) -> sa.Engine:
        made.append(sa.create_engine(url))
        return made[-1]

    yield make
    for engine in made:
        engine.dispose()


def table(name: str) -> sa.MetaData:
    metadata = sa.MetaData()
    sa.Table(name, metadata, sa.Column("id", sa.Integer, primary_key=True))
    return metadata


def whole_life(migrate: Migrate, app: Flask) -> set[str]:
    """Init, generate, upgrade, check; return the tables of the default database."""
    with app.app_context():
        repository = migrate.repository
        repository.init()
        made = repository.revision("create", autogenerate=True)
        assert made is not None
        repository.upgrade()
        assert repository.check().ok
        assert repository.revision("nothing", autogenerate=True) is None
        tables = table_names(repository.binds()[0].engine)
        repository.downgrade("base")
        return tables


def test_plain_sqlalchemy(tmp_path: Path, bind_url: str, engines: Engines) -> None:
    app = Flask("plain", root_path=str(tmp_path))
    migrate = Migrate(
        app,
        directory=tmp_path / "migrations",
        metadatas=[table("user"), table("grade")],
        engines=engines(bind_url),
    )
    assert whole_life(migrate, app) == {"alembic_version", "user", "grade"}


def test_plain_sqlalchemy_in_a_factory(
    tmp_path: Path, make_database: DatabaseMaker, engines: Engines
) -> None:
    migrate = Migrate(metadatas={None: table("user"), "logs": table("log")})
    app = Flask("plain", root_path=str(tmp_path))
    urls = {None: make_database("sqlite"), "logs": make_database("sqlite")}
    migrate.init_app(
        app,
        directory=tmp_path / "migrations",
        engines=lambda: {key: engines(url) for key, url in urls.items()},
    )
    assert whole_life(migrate, app) == {"alembic_version", "user"}


def test_anything_with_an_engine_and_metadata(
    tmp_path: Path, make_database: DatabaseMaker, engines: Engines
) -> None:
    app = Flask("duck", root_path=str(tmp_path))
    db = SimpleNamespace(engine=engines(make_database("sqlite")), metadata=table("user"))
    assert whole_life(Migrate(app, db, tmp_path / "migrations"), app) == {"alembic_version", "user"}


def test_db_only_in_the_constructor(tmp_path: Path, url: str) -> None:
    """The Sakyum framework attaches Migrate(db=db) and calls init_app(app) with one argument."""
    app = Flask("sakyum", root_path=str(tmp_path))
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    db = SQLAlchemy(app)
    define_user(db)
    migrate = Migrate(db=db, directory=tmp_path / "migrations")
    migrate.init_app(app)
    assert whole_life(migrate, app) == {"alembic_version", "user"}
    with app.app_context():
        db.engine.dispose()


def test_a_constructor_without_db_does_nothing(tmp_path: Path) -> None:
    app = Flask("bare", root_path=str(tmp_path))
    Migrate(app)
    assert "migrate" not in app.extensions


MODELS = {
    "exam/__init__.py": "",
    "exam/models.py": "from shared_db import db\nimport sqlalchemy as sa\n"
    "db.Table('question', sa.Column('id', sa.Integer, primary_key=True))\n",
    "auth/__init__.py": "",
    "auth/user.py": "from shared_db import db\nimport sqlalchemy as sa\n"
    "db.Table('user', sa.Column('id', sa.Integer, primary_key=True))\n",
    "auth/inner/__init__.py": "",
    "auth/inner/models.py": "from shared_db import db\nimport sqlalchemy as sa\n"
    "db.Table('role', sa.Column('id', sa.Integer, primary_key=True))\n",
    "auth/broken.py": "",
}


@pytest.fixture
def packages(
    make_project: ProjectMaker, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Project]:
    """A project whose models live in packages that nobody imports."""
    for name, text in MODELS.items():
        path = tmp_path / "code" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path / "code"))
    before = set(sys.modules)
    project = make_project(url, models=lambda db: None)
    monkeypatch.setitem(sys.modules, "shared_db", SimpleNamespace(db=project.db))
    yield project
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("exam", "auth"):
            del sys.modules[name]


def with_models(project: Project, *patterns: str) -> Any:
    project.migrate.init_app(project.app, project.db, models=list(patterns))
    return project.repository


def test_models_are_imported_when_a_command_needs_them(packages: Project) -> None:
    repository = with_models(packages, "exam.models", "auth.*", "auth.*.models")
    repository.upgrade()
    assert "exam.models" not in sys.modules
    made = repository.revision("create", autogenerate=True)
    assert "exam.models" in sys.modules
    text = made.path.read_text()
    assert all(f"create_table('{name}'" in text for name in ("question", "user", "role"))


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("exam.modles", "there is no module exam.modles"),
        ("nothing.models", "there is no module nothing.models"),
        ("exam.*.models", "no module matches"),
        ("*.models", "has to begin with the name of a package"),
    ],
)
def test_a_wrong_pattern_is_named(packages: Project, pattern: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("*", r"\*")):
        with_models(packages, pattern).check()


def test_a_models_module_that_fails_is_named_with_its_line(
    packages: Project, tmp_path: Path
) -> None:
    (tmp_path / "code" / "auth" / "broken.py").write_text("x = 1\nimport not_there\n")
    with pytest.raises(ConfigError) as error:
        with_models(packages, "auth.*").check()
    assert "auth.broken does not import" in str(error.value)
    assert "not_there" in str(error.value) and "broken.py, line 2" in str(error.value)
