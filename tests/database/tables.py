"""A project on SQLite with tables made by hand, and rows in them, for the tests of copies."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from click.testing import Result

from flask_sakyum_migrate.runtime.sqlite_schema import quote
from tests.conftest import Project

ROWS = 100
COLUMNS = "id INTEGER PRIMARY KEY, name VARCHAR(50), age INTEGER"
TABLE = f"CREATE TABLE user ({COLUMNS})"
FILL = f"""
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
INSERT INTO user (id, name, age) SELECT i, 'User ' || i, i FROM n
"""
STRICTER = """
with op.batch_alter_table("user") as batch_op:
    batch_op.alter_column("age", existing_type=sa.Integer(), nullable=False)
"""
LOOSER = STRICTER.replace("False", "True")

REVISION = '''"""{message}"""
from alembic import op
import sqlalchemy as sa

revision = "{id}"
down_revision = {down!r}
{settings}

def upgrade():
{upgrade}

def downgrade():
{downgrade}
'''
FOREIGN = """
from alembic import context
from flask import current_app

db = current_app.extensions["migrate"].db
with db.engine.{opened} as connection:
    context.configure(connection=connection, target_metadata=db.metadata)
    with context.begin_transaction():
        context.run_migrations()
"""
ENVIRONMENTS = {
    "own": None,
    "foreign": FOREIGN.format(opened="connect()"),
    "foreign-begun": FOREIGN.format(opened="begin()"),
}


class Tables:
    """A project on SQLite whose first revision makes tables with rows, by hand."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.last = ""

    def revision(self, upgrade: str, downgrade: str = "pass", settings: str = "") -> str:
        """Write a revision after the last one."""
        number = int(self.last[1:] or 0) + 1 if self.last else 1
        before, self.last = self.last, f"r{number}"
        indented = [
            "".join(f"    {line}\n" for line in code.strip().splitlines())
            for code in (upgrade, downgrade)
        ]
        text = REVISION.format(
            id=self.last,
            down=before or None,
            message=f"change {number}",
            settings=settings,
            upgrade=indented[0],
            downgrade=indented[1],
        )
        self.project.write(f"{self.last}.py", text)
        return self.last

    def setup(self, *statements: str) -> None:
        """Write and run the first revision."""
        self.revision("\n".join(f"op.execute({statement!r})" for statement in statements))
        self.succeed("upgrade")

    def succeed(self, *args: str) -> Result:
        result: Result = self.project.flask(*args)
        assert result.exit_code == 0, result.stderr
        assert self.ask("PRAGMA integrity_check") == [("ok",)]
        assert self.leftovers() == []
        return result

    def refused(self, *args: str) -> str:
        """Run a command that has to be refused; return what it says."""
        before = self.everything()
        result: Result = self.project.flask(*args)
        assert result.exit_code == 1, result.stderr
        assert "was stopped." in result.stderr, result.stderr
        assert self.everything() == before
        return result.stderr

    def ask(self, sql: str) -> list[Any]:
        with self.project.engine().connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(sql)]

    def do(self, sql: str) -> bool:
        """Run a statement, and return True."""
        with self.project.engine().begin() as connection:
            connection.exec_driver_sql(sql)
        return True

    def everything(self) -> Any:
        """Return the schema and all rows, without the history of runs."""
        master = self.ask("SELECT type, name, sql FROM sqlite_master ORDER BY 1, 2")
        master = [row for row in master if "_runs" not in row[1]]
        tables = [name for kind, name, _ in master if kind == "table"]
        return master, [self.ask(f"SELECT * FROM {quote(name)}") for name in tables]

    def leftovers(self) -> list[Any]:
        return self.ask(
            "SELECT name FROM sqlite_master WHERE name LIKE '\\_alembic\\_tmp%' ESCAPE '\\'"
        )

    def sql(self, name: str) -> str:
        ((text,),) = self.ask(f"SELECT sql FROM sqlite_master WHERE name = '{name}'")
        return str(text)

    def names(self, kind: str) -> set[str]:
        return {
            name for (name,) in self.ask(f"SELECT name FROM sqlite_master WHERE type = '{kind}'")
        }


def enforce(tables: Tables) -> None:
    """Switch foreign keys on, as the application does."""
    engine = tables.project.engine()
    sa.event.listen(engine, "connect", lambda driver, _: driver.execute("PRAGMA foreign_keys=ON"))
    engine.dispose()


def insert_fails(tables: Tables, sql: str) -> bool:
    try:
        tables.do(sql)
    except sa.exc.IntegrityError:
        return True
    return False
