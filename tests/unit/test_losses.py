"""What a revision may lose, told from its code."""

from __future__ import annotations

from pathlib import Path

import pytest

from flask_sakyum_migrate.upgrading.losses import first_loss

HEAD = """
import datetime
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
import shop.types
from shop.tidy import tidy, Money
from .helpers import local

CONSTANT = "DELETE FROM user"
users = sa.table("user", sa.column("name"))


def helper():
    op.drop_table("from_the_helper")


def upgrade():
"""
UNKNOWN = "runs SQL that may change rows"
LOSES = {
    'op.drop_table("user")': "drops the table user",
    "op.drop_table(table_name='user')": "drops the table user",
    'op.drop_column("user", "age")': "drops the column user.age",
    "with op.batch_alter_table('user') as b:\n    b.drop_column('age')": (
        "drops the column user.age"
    ),
    'op.alter_column("user", "age", type_=sa.Text())': "changes the type of user.age",
    "with op.batch_alter_table('user') as b:\n    b.alter_column('age', type_=sa.Text())": (
        "changes the type of user.age"
    ),
    'op.execute("DELETE FROM user WHERE id = 1")': "deletes rows of user",
    "op.execute(sa.text('''\n-- all of them\nUPDATE user SET age = 1'''))": "changes rows of user",
    'op.execute("DROP TABLE IF EXISTS user")': "drops the table user",
    'op.execute("CREATE TABLE a (b); DROP TABLE user")': "drops the table user",
    'op.execute("ALTER TABLE user DROP COLUMN age")': UNKNOWN,
    'op.execute("INSERT OR REPLACE INTO user VALUES (1)")': UNKNOWN,
    'op.execute("INSERT INTO a VALUES (1) ON CONFLICT (b) DO UPDATE SET b = 1")': UNKNOWN,
    'op.execute("REPLACE INTO user VALUES (1)")': UNKNOWN,
    'op.execute("WITH a AS (SELECT 1) DELETE FROM user")': UNKNOWN,
    "op.execute(CONSTANT)": "deletes rows of user",
    "op.execute(users.update().values(name='x'))": UNKNOWN,
    "op.execute(sa.delete(users))": UNKNOWN,
    "statement = sa.delete(users)\nop.execute(statement)": UNKNOWN,
    "op.execute(whatever)": UNKNOWN,
    'op.execute(f"{whatever}")': UNKNOWN,
    "op.execute(f'DELETE FROM {whatever}')": "deletes rows of x",
    "op.get_bind().execute(sa.update(users))": UNKNOWN,
    "bind = op.get_bind()\nbind.exec_driver_sql('UPDATE user SET age = 1')": "changes rows of user",
    "bind = op.get_bind()\nwhatever(bind)": "works on the connection in a way that cannot be told",
    "sa.orm.Session(bind=op.get_bind())": "works on the connection in a way that cannot be told",
    "sa.MetaData().drop_all(op.get_bind())": "drops tables",
    "helper()": "drops the table from_the_helper",
    "list(map(lambda _: helper(), [1]))": "drops the table from_the_helper",
    "tidy()": "calls tidy(), which may change rows",
    "shop.types.convert(1)": "calls shop.types.convert(), which may change rows",
    "local()": "calls local(), which may change rows",
    "if True:\n    for one in 'ab':\n        op.drop_table(one)": "drops the table one",
}
KEEPS = [
    "pass",
    'op.create_table("a", sa.Column("b", sa.Integer), sa.Column("c", Money(), default=tidy))',
    'op.add_column("user", sa.Column("price", shop.types.Money(10), server_default=local()))',
    "with op.batch_alter_table('user') as b:\n    b.add_column(sa.Column('x', sa.Integer))",
    'op.alter_column("user", "age", nullable=False, existing_type=Money())',
    'op.alter_column("user", "age", new_column_name="years")',
    'op.rename_table("user", "person")',
    'op.create_index("ix", "user", ["name"])\nop.drop_index("ix")\nop.drop_constraint("c", "user")',
    'op.bulk_insert(users, [{"name": "x"}])',
    'op.execute("INSERT INTO user VALUES (1)")',
    'op.execute(sa.text("/* for all */ CREATE INDEX a ON b (c)"))',
    "op.execute('CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM b; END')",
    'op.execute("DROP INDEX ix")\nop.execute("DROP VIEW v")\nop.execute("PRAGMA foreign_keys=OFF")',
    'op.execute("ALTER TABLE user ADD COLUMN x INTEGER")',
    'op.execute("ALTER TABLE user RENAME COLUMN x TO y")',
    "op.execute(sa.insert(users).values(name='x'))",
    "op.execute(users.insert())",
    "op.execute(f'CREATE INDEX {1} ON user (name)')",
    "op.execute('INSERT INTO user VALUES (%d)' % 1)",
    "op.execute('INSERT INTO user VALUES ({})'.format(1))",
    "bind = op.get_bind()\nfor row in bind.execute(sa.select(users)):\n    print(row)",
    "sa.inspect(op.get_bind()).get_table_names()",
    'CONSTANT.upper()\ndatetime.datetime.now()\n"DELETE FROM user"',
]


def write(path: Path, body: str) -> Path:
    indented = "".join(f"    {line}\n" for line in body.splitlines())
    path.write_text(f"{HEAD}{indented}\n\ndef downgrade():\n    op.drop_table('down')\n")
    return path


@pytest.mark.parametrize("body", LOSES)
def test_it_loses_something(tmp_path: Path, body: str) -> None:
    path = write(tmp_path / "r1.py", body)
    assert first_loss(path, "upgrade").partition(" (line")[0] == LOSES[body]
    assert first_loss(path, "downgrade") == "drops the table down"


@pytest.mark.parametrize("body", KEEPS)
def test_it_loses_nothing(tmp_path: Path, body: str) -> None:
    assert first_loss(write(tmp_path / "r1.py", body), "upgrade") == ""


def test_the_functions_of_the_bind(tmp_path: Path) -> None:
    path = tmp_path / "r1.py"
    path.write_text(
        "from alembic import op\n"
        "def upgrade():\n    op.drop_table('a')\n"
        "def upgrade_my_logs():\n    op.drop_table('b')\n"
    )
    assert first_loss(path, "upgrade", ["default"]) == "drops the table a"
    assert first_loss(path, "upgrade", ["my-logs"]) == "drops the table b"
    assert first_loss(path, "upgrade", ["other"]) == ""
    assert first_loss(path, "upgrade", ["other", "default"]) == "drops the table a"


def test_the_functions_of_flask_migrates_multidb(tmp_path: Path) -> None:
    path = tmp_path / "r1.py"
    path.write_text(
        "from alembic import op\n"
        "def upgrade(engine_name):\n    globals()['upgrade_%s' % engine_name]()\n"
        "def upgrade_():\n    op.drop_table('a')\n"
        "def upgrade_logs():\n    op.drop_table('b')\n"
    )
    assert first_loss(path, "upgrade", ["default"]) == "drops the table a"
    assert first_loss(path, "upgrade", ["logs"]) == "drops the table b"


def test_a_compiled_file(tmp_path: Path) -> None:
    path = tmp_path / "r1.pyc"
    path.write_bytes(b"\x00\x01\x02")
    assert first_loss(path, "upgrade") == "is compiled, so it cannot be told what it does"
