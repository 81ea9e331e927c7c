"""A revision file is read before it is written."""

from __future__ import annotations

import sys

import pytest

from flask_sakyum_migrate import ConfigError
from flask_sakyum_migrate.autogenerate.writing.proofreading import proofread

GOOD = '''"""all of it"""
from __future__ import annotations

import os.path
import decimal as numbers
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from os import *

revision = "aa"
TABLES = [name for name in ("a", "b")]


class Local:
    pass


def upgrade() -> None:
    rows = sa.table("a", sa.column("x", sa.Integer()))
    with op.batch_alter_table("a") as batch_op:
        batch_op.anything(numbers.Decimal(1), postgresql.JSONB(), Local())
    for one in TABLES:
        print(one, [two for two in rows.c], os.path.sep, __file__)

    def inner(value: int) -> int:
        return value + len(TABLES)

    inner(1)
    (lambda self, **kw: "POINT")(None)
    print(os.sep)
'''


def test_a_file_that_runs() -> None:
    proofread(GOOD, "aa.py")
    proofread(GOOD.replace("from os import *\n", ""), "aa.py")


@pytest.mark.parametrize(
    ("before", "after", "line", "reason"),
    [
        ("sa.Integer()", "sa.Intger()", 20, "sqlalchemy has no Intger"),
        (
            "postgresql.JSONB()",
            "postgresql.PGUuid()",
            22,
            "sqlalchemy.dialects.postgresql has no PGUuid",
        ),
        (
            "import os.path",
            "import os.paths",
            4,
            "No module named 'os.paths'; 'os' is not a package",
        ),
        ("from alembic import op", "from alembic import ops", 7, "alembic has no ops"),
        (
            "import decimal as numbers",
            "import no_such_module",
            5,
            "No module named 'no_such_module'",
        ),
        ("from os import *\n", "", None, None),
        ("print(one,", "print(won,", 24, "nothing defines won"),
        ("return value +", "return values +", 27, "nothing defines values"),
        ("inner(1)", "inner(<object>)", 29, "invalid syntax: inner(<object>)"),
    ],
)
def test_a_file_that_does_not(
    before: str, after: str, line: int | None, reason: str | None
) -> None:
    assert before in GOOD
    good = GOOD if before == "from os import *\n" else GOOD.replace("from os import *\n", "#\n")
    text = good.replace(before, after)
    if reason is None:
        proofread(text, "aa.py")
        return
    with pytest.raises(ConfigError) as caught:
        proofread(text, "aa.py")
    said = f"aa.py would not run, so it was not written. Line {line}: {reason}."
    assert str(caught.value).splitlines()[0] == said
    assert caught.value.line == line


def test_a_module_that_fails_to_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "broken_module", None)
    with pytest.raises(
        ConfigError, match=r"Line 1: .*broken_module.*\n.*pip install broken_module"
    ):
        proofread("import broken_module\n", "aa.py")
