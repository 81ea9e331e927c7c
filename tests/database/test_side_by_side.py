"""Packages that people use beside this one: each under the pipeline, there, back and there again.

They register themselves with Alembic for the whole process, so each has one of its own.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import DatabaseMaker

HARNESS = """
import sys
from pathlib import Path
import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from flask_sakyum_migrate import Migrate

url, folder = sys.argv[1:]

def project(models):
    app = Flask("project", root_path=folder, instance_path=folder)
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    db = SQLAlchemy(app)
    models(db)
    Migrate(app, db, Path(folder, "migrations"))
    def flask(*args):
        result = app.test_cli_runner().invoke(args=["db", *args])
        assert result.exit_code == 0, (args, result.output, result.exception)
        return result
    if not Path(folder, "migrations").exists():
        flask("init")
    with app.app_context():
        flask.engine = db.engine
    return flask

def settled(flask):
    assert "No changes" in flask("migrate").stderr
    flask("check")

def there_and_back(flask):
    made = flask("migrate")
    assert made.stdout, made.stderr
    text = Path(made.stdout.strip()).read_text()
    flask("upgrade")
    settled(flask)
    flask("downgrade")
    flask("upgrade")
    settled(flask)
    return text

def execute(flask, *statements):
    with flask.engine.begin() as connection:
        for one in statements:
            result = connection.exec_driver_sql(one)
    return result

def thing(db, *columns):
    db.Table("other", sa.Column("id", sa.Integer, primary_key=True))
    db.Table("thing", sa.Column("id", sa.Integer, primary_key=True), *columns)
"""

UTILS = """
import sqlalchemy_utils as su

def types():
    return [
        su.EmailType(), su.URLType(), su.UUIDType(), su.UUIDType(binary=False), su.JSONType(),
        su.ChoiceType([("a", "A"), ("b", "B")]), su.ScalarListType(), su.IPAddressType(),
    ]

before = project(thing)
there_and_back(before)
after = project(lambda db: thing(db, *(sa.Column(f"c{n}", one) for n, one in enumerate(types()))))
text = there_and_back(after)
assert "sqlalchemy_utils" in text
execute(after, "INSERT INTO thing (id, c0) VALUES (1, 'a@b.c')")
assert execute(after, "SELECT c0 FROM thing").scalar() == "a@b.c"
again = project(thing)
there_and_back(again)
"""

GEO = """
url = url.replace("mysql+", "mariadb+")  # the package knows them apart

import geoalchemy2

def point():
    return geoalchemy2.Geometry("POINT", spatial_index=False, nullable=True)

there_and_back(project(thing))
flask = project(lambda db: thing(db, sa.Column("at", point())))
text = there_and_back(flask)
assert "Geometry" in text and "geoalchemy2" in text
execute(flask, "INSERT INTO thing (id, at) VALUES (1, ST_GeomFromText('POINT(1 2)'))")
there_and_back(project(thing))
"""

ENTITIES = """
from alembic_utils.pg_function import PGFunction
from alembic_utils.pg_view import PGView
from alembic_utils.replaceable_entity import register_entities

flask = project(lambda db: thing(db, sa.Column("n", sa.Integer)))
there_and_back(flask)
execute(flask, "INSERT INTO thing (id, n) VALUES (1, 20)")
view = PGView("public", "big", "SELECT id FROM thing WHERE n > 10")
twice = PGFunction("public", "twice(n integer)", "RETURNS integer LANGUAGE sql AS 'SELECT n * 2'")
register_entities([view, twice])
text = there_and_back(flask)
assert text.count("op.create_entity") == 2, text
assert execute(flask, "SELECT twice(id) FROM big").scalar() == 2
more = project(lambda db: thing(db, sa.Column("n", sa.Integer), sa.Column("m", sa.Integer)))
there_and_back(more)
"""

ENUMS = """
import alembic_postgresql_enum

def colours(*labels):
    return lambda db: thing(db, sa.Column("colour", sa.Enum(*labels, name="colour")))

flask = project(colours("red", "green"))
there_and_back(flask)
execute(flask, "INSERT INTO thing (id, colour) VALUES (1, 'red')")
text = there_and_back(project(colours("red", "green", "blue")))
assert "op.sync_enum_values" in text, text
assert "ALTER TYPE" not in text  # ours steps aside
assert execute(flask, "SELECT colour FROM thing").scalar() == "red"
there_and_back(project(thing))
"""

CASES = [
    *(("sqlalchemy_utils", UTILS, kind) for kind in ("sqlite", "postgresql", "mariadb")),
    ("geoalchemy2", GEO, "mariadb"),  # which has geometry by itself
    ("alembic_utils", ENTITIES, "postgresql"),
    ("alembic_postgresql_enum", ENUMS, "postgresql"),
]


@pytest.mark.parametrize(
    ("code", "kind"), [one[1:] for one in CASES], ids=[f"{one[0]}-{one[2]}" for one in CASES]
)
def test_beside(make_database: DatabaseMaker, tmp_path: Path, code: str, kind: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HARNESS + code, make_database(kind), str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
