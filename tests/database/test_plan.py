"""What a run would do: each operation with the rows that it puts at risk, and nothing done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from flask_sakyum_migrate import HistoryError
from flask_sakyum_migrate.results import PlannedOperation
from tests.conftest import Project, ProjectMaker, define_user_and_log

REVISION = '''"""{message}"""
from alembic import context, op
import sqlalchemy as sa

revision = "{id}"
down_revision = {down!r}


def upgrade():
{up}


def downgrade():
{back}
'''


def add(project: Project, id: str, down: str | None, up: str, back: str = "pass") -> Path:
    texts = ("\n".join(f"    {line}" for line in one.strip().splitlines()) for one in (up, back))
    body = REVISION.format(id=id, down=down, message=f"do {id}", up=next(texts), back=next(texts))
    return project.write(f"{id}_add.py", body)


FIRST = """
op.create_table(
    "person",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("nick", sa.String(50)),
    sa.Column("age", sa.Integer),
)
"""


@pytest.fixture
def person(make_project: ProjectMaker, bind_url: str) -> Project:
    """Three persons, two of them with a nick; the revision bb22 is to be written."""
    project = make_project(bind_url)
    add(project, "aa11", None, FIRST, 'op.drop_table("person")')
    project.flask("upgrade")
    with project.engine().begin() as connection:
        for nick in ("ann", "bob", None):
            statement = sa.text("INSERT INTO person (nick, age) VALUES (:nick, 3)")
            connection.execute(statement, {"nick": nick})
    return project


def operations(project: Project, verb: str = "upgrade") -> list[PlannedOperation]:
    (database,) = project.repository.plan(verb).databases
    return [one for step in database.steps for one in step.operations]


def said(project: Project, verb: str = "upgrade") -> list[tuple[str, str]]:
    return [(one.text, one.risk) for one in operations(project, verb)]


def contents(project: Project) -> Any:
    with project.engine().connect() as connection:
        inspector = sa.inspect(connection)
        return {
            name: connection.execute(sa.text(f"SELECT * FROM {name} ORDER BY 1")).all()
            for name in inspector.get_table_names()
        }


def test_what_would_be_lost(person: Project) -> None:
    up = """
op.create_table("exam", sa.Column("id", sa.Integer, primary_key=True))
with op.batch_alter_table("person") as batch_op:
    batch_op.drop_column("nick")
op.drop_table("person")
"""
    add(person, "bb22", "aa11", up)
    before = contents(person)
    found = operations(person)
    assert [(one.text, one.risk, one.level) for one in found] == [
        ("create table exam", "", ""),
        ("drop column person.nick", "3 rows, 2 with a value", "loss"),
        ("drop table person", "3 rows", "loss"),
    ]
    assert contents(person) == before


def test_what_rows_may_stop(person: Project) -> None:
    up = """
op.add_column("person", sa.Column("email", sa.String(20), nullable=False))
op.add_column("person", sa.Column("size", sa.Integer))
op.add_column("person", sa.Column("kind", sa.Integer, nullable=False, server_default="1"))
op.alter_column("person", "nick", existing_type=sa.String(50), nullable=False)
op.alter_column("person", "age", existing_type=sa.Integer(), type_=sa.BigInteger())
op.alter_column("person", "age", existing_type=sa.BigInteger(), type_=sa.SmallInteger)
op.create_index("ix_age", "person", ["age"], unique=True)
op.create_unique_constraint("uq_age", "person", ["age"])
op.create_check_constraint("ck_age", "person", "age > 1")
"""
    add(person, "bb22", "aa11", up)
    email, size, kind, nick, bigger, smaller, index, unique, check = operations(person)
    assert (email.risk, email.level) == ("3 rows without a value", "look")
    assert (size.risk, kind.risk, bigger.risk) == ("", "", "")
    assert (nick.text, nick.risk) == (
        "change column person.nick NOT NULL",
        "1 row without a value",
    )
    assert (smaller.risk, smaller.level) == ("3 rows, values may be lost", "loss")
    assert index.text == "create index ix_age of person"
    assert index.risk == unique.risk == "no two of 3 rows may be the same"
    assert (check.text, check.risk) == ("add check ck_age of person", "3 rows must keep it")


def test_what_the_plan_makes_itself_has_no_rows(person: Project) -> None:
    up = """
op.create_table("exam", sa.Column("id", sa.Integer, primary_key=True))
op.drop_table("exam")
op.add_column("person", sa.Column("size", sa.Integer))
op.drop_column("person", "size")
op.rename_table("person", "human")
op.alter_column("human", "nick", new_column_name="name", existing_type=sa.String(50))
op.drop_column("human", "name")
op.drop_table("human")
op.drop_table("was_never_there")
"""
    add(person, "bb22", "aa11", up)
    assert said(person)[1:] == [
        ("drop table exam", ""),
        ("add column person.size INTEGER", ""),
        ("drop column person.size", ""),
        ("rename table person to human", ""),
        ("rename column human.nick to name", ""),
        ("drop column human.name", "3 rows, 2 with a value"),
        ("drop table human", "3 rows"),
        ("drop table was_never_there", ""),
    ]


def test_sql_is_shown(person: Project) -> None:
    up = """
person = sa.table("person", sa.column("age", sa.Integer))
op.execute("DELETE FROM person")
op.execute(person.update().values(age=4))
op.bulk_insert(person, [{"age": 1}, {"age": 2}])
"""
    add(person, "bb22", "aa11", up)
    before = contents(person)
    assert said(person) == [
        ("run SQL: DELETE FROM person", "deletes rows of person"),
        ("run SQL: UPDATE person SET age=4", "changes rows of person"),
        ("insert 2 rows into person", ""),
    ]
    assert contents(person) == before


def test_what_reads_cannot_be_foretold(person: Project) -> None:
    up = """
bind = op.get_bind()
assert bind.dialect.name == op.get_context().dialect.name
bind.execute(sa.text("DELETE FROM person"))
with op.get_context().autocommit_block():
    op.drop_column("person", "nick")
try:
    ids = bind.execute(sa.text("SELECT id FROM person")).scalars()
except Exception:
    pass
op.drop_table("person")
"""
    path = add(person, "bb22", "aa11", up)
    line = 1 + path.read_text().splitlines().index(
        '        ids = bind.execute(sa.text("SELECT id FROM person")).scalars()'
    )
    before = contents(person)
    delete, drop, rest = operations(person)
    assert delete.text == "run SQL: DELETE FROM person"
    assert drop.text == "drop column person.nick"
    assert rest.text == f"line {line} reads the database: what follows cannot be foretold"
    assert rest.level == "unknown"
    assert contents(person) == before


@pytest.mark.parametrize(
    "reading",
    ["sa.inspect(op.get_bind())", "op.get_bind().begin()", "op.run_async(None)"],
)
def test_other_ways_of_reading(person: Project, reading: str) -> None:
    add(person, "bb22", "aa11", f'{reading}\nop.drop_table("person")')
    (only,) = operations(person)
    assert only.text == "line 10 reads the database: what follows cannot be foretold"


def test_a_revision_that_raises(person: Project) -> None:
    add(person, "bb22", "aa11", 'op.drop_table("person")\n{}["x"]')
    assert operations(person)[1].text == "line 11 raises KeyError: 'x'"


def test_arguments_of_the_command_line(person: Project) -> None:
    add(person, "bb22", "aa11", 'op.execute(context.get_x_argument(as_dictionary=True)["what"])')
    result = person.flask("upgrade", "--plan", "-x", "what=DELETE FROM person")
    assert "run SQL: DELETE FROM person" in result.stdout


def test_a_downgrade(person: Project) -> None:
    plan = person.repository.plan("downgrade", "base")
    assert (plan.verb, plan.target, plan.ok) == ("downgrade", "base", False)
    assert said(person, "downgrade") == [("drop table person", "3 rows")]


def test_nothing_to_do(person: Project) -> None:
    plan = person.repository.plan()
    assert plan.ok
    assert plan.databases[0].before == ("aa11",)


def test_the_version_table_is_not_made(make_project: ProjectMaker, bind_url: str) -> None:
    project = make_project(bind_url)
    add(project, "aa11", None, FIRST)
    assert said(project) == [("create table person", "")]
    assert sa.inspect(project.engine()).get_table_names() == []


def test_each_bind_has_its_own(make_project: ProjectMaker, make_database: Any) -> None:
    first, second = make_database("sqlite"), make_database("sqlite")
    project = make_project(first, binds={"logs": second}, models=define_user_and_log)
    path = add(project, "aa11", None, FIRST)
    path.write_text(f'{path.read_text()}\n\ndef upgrade_logs():\n    op.drop_table("log")\n')
    default, logs = project.repository.plan().databases
    assert (default.bind, default.url) == ("default", first)
    assert [one.text for one in default.steps[0].operations] == ["create table person"]
    assert [one.text for one in logs.steps[0].operations] == ["drop table log"]
    (only,) = project.repository.plan(bind="logs").databases
    assert only == logs
    assert not Path(first.removeprefix("sqlite:///")).exists()


def test_binds_that_share_a_database(make_project: ProjectMaker, bind_url: str) -> None:
    project = make_project(bind_url, binds={"logs": bind_url}, models=define_user_and_log)
    path = add(project, "aa11", None, FIRST)
    path.write_text(f'{path.read_text()}\n\ndef upgrade_logs():\n    op.drop_table("log")\n')
    (database,) = project.repository.plan().databases
    assert database.bind == "default+logs"
    assert [(one.bind, one.text) for one in database.steps[0].operations] == [
        ("default", "create table person"),
        ("logs", "drop table log"),
    ]


def test_a_revision_for_many_databases(make_project: ProjectMaker, bind_url: str) -> None:
    """As Flask-Migrate's --multidb template writes it."""
    project = make_project(bind_url)
    up = "    globals()[f'upgrade_{engine_name}']()"
    text = REVISION.format(id="aa11", down=None, message="m", up=up, back="    pass")
    text = text.replace("upgrade():", "upgrade(engine_name):")
    project.write("aa11.py", f"{text}\n\ndef upgrade_():\n    op.drop_table('log')\n")
    assert said(project) == [("drop table log", "")]


def test_a_revision_that_is_not_there(person: Project) -> None:
    with pytest.raises(HistoryError, match="zz99"):
        person.repository.plan("upgrade", "zz99")


def test_one_revision_without_a_database(make_project: ProjectMaker) -> None:
    project = make_project("postgresql+psycopg://nobody@127.0.0.1:1/none")
    add(project, "aa11", None, FIRST, 'op.drop_table("person")')
    (database,) = project.repository.operations("aa11", down=True).databases
    assert [one.text for one in database.steps[0].operations] == ["drop table person"]


def test_the_sql_of_one_revision(person: Project) -> None:
    add(person, "bb22", "aa11", 'op.execute("UPDATE person SET age = 4")', 'op.execute("SELECT 1")')
    (up,) = person.repository.revision_sql("bb22")
    assert "UPDATE person SET age = 4" in up.text
    assert "CREATE TABLE person" not in up.text
    assert "SET version_num='bb22'" in up.text
    (down,) = person.repository.revision_sql("bb22", down=True)
    assert "SELECT 1" in down.text
    assert "SET version_num='aa11'" in down.text
    (first,) = person.repository.revision_sql("aa11")
    assert "CREATE TABLE person" in first.text
    assert "INSERT INTO alembic_version" in first.text
    assert contents(person)["alembic_version"] == [("aa11",)]
