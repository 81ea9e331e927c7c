"""A revision file runs in a process that does not have the models of the application."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql

from tests.conftest import ProjectMaker
from tests.database.changing import ran, settled, table

TYPES = """
import enum
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

class Colour(enum.Enum):
    red = 1
    green = 2

class Cents(sa.types.TypeDecorator):
    impl = sa.Integer
    cache_ok = True

class Tags(sa.types.TypeDecorator):
    impl = sa.JSON
    cache_ok = True

    def load_dialect_impl(self, dialect):
        native = dialect.name == "postgresql"
        return dialect.type_descriptor(postgresql.ARRAY(sa.String(20)) if native else sa.JSON())

class Point(sa.types.UserDefinedType):
    cache_ok = True

    def get_col_spec(self, **kw):
        return "VARCHAR(40)"
"""

# What Alembic does with a file, with nothing but the file.
RUN = """
import importlib.util, sys
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

path, url = sys.argv[1:]
spec = importlib.util.spec_from_file_location("revision_file", path)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
engine = sa.create_engine(url)
for verb in ("downgrade", "upgrade"):
    with engine.begin() as connection:
        with Operations.context(MigrationContext.configure(connection)):
            getattr(module, verb)()
assert "types_of_the_app" not in sys.modules
assert "flask_sakyum_migrate" not in sys.modules
"""


def define(db: Any, own: dict[str, Any], kind: str, checks: bool) -> None:
    others: dict[str, list[Any]] = {
        "postgresql": [
            postgresql.ARRAY(sa.Integer),
            postgresql.ARRAY(sa.String(20), dimensions=2),
            sa.ARRAY(sa.Enum("x", "y", name="letters")),
            sa.ARRAY(own["Cents"]()),
            postgresql.INT4RANGE(),
        ],
        "mysql": [mysql.ENUM("a", "b"), mysql.SET("a", "b"), mysql.TINYINT(1)],
        "sqlite": [],
    }
    here: list[Any] = [
        sa.Text().with_variant(postgresql.JSONB(), "postgresql"),
        sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"),
        sa.String(50).with_variant(own["Cents"](), "sqlite"),
        sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
        sa.Enum(own["Colour"], name="colour"),
        own["Cents"](),
        own["Tags"](),
        own["Point"](),
        *others[kind],
    ]
    if checks:
        own_colour = own["Colour"]
        here.append(
            sa.Enum(own_colour, native_enum=False, create_constraint=True, name="ck_colour")
        )
    table(db, "thing", *(sa.Column(f"c{at}", type_) for at, type_ in enumerate(here)))
    table(
        db,
        "fetched",
        sa.Column("a", sa.Integer, server_default=sa.FetchedValue()),
        sa.Column("b", sa.Integer, server_onupdate=sa.FetchedValue()),
        sa.Column("c", sa.Integer, server_default=sa.text("1"), server_onupdate=sa.FetchedValue()),
        sa.Column("d", sa.Integer, sa.Computed("c + 1", persisted=True)),
    )


@pytest.mark.parametrize("later", [False, True], ids=["tables", "columns"])
def test_a_file_runs_by_itself(
    make_project: ProjectMaker,
    bind_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    later: bool,
) -> None:
    (tmp_path / "types_of_the_app.py").write_text(TYPES)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "types_of_the_app", raising=False)
    own = vars(__import__("types_of_the_app"))
    kind = sa.make_url(bind_url).get_backend_name()
    if later:
        bare = make_project(
            bind_url, models=lambda db: [table(db, n) for n in ("thing", "fetched")]
        )
        ran(bare, "migrate")
        ran(bare, "upgrade")
    # Alembic alone cannot drop a column of SQLite with its CHECK.
    checks = not (later and kind == "sqlite")
    project = make_project(bind_url, models=lambda db: define(db, own, kind, checks))
    path = Path(ran(project, "migrate").stdout.strip())
    ran(project, "upgrade")
    settled(project)
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(path), bind_url],
        cwd=tmp_path / "project" / "migrations",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    settled(project)
