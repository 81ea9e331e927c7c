"""A SQLite file that is encrypted (SQLCipher): everything but the copy before a loss."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.conftest import Project, ProjectMaker

pytest.importorskip("sqlcipher3", reason="its wheels are for Linux on x86-64")

REVISION = """
from alembic import op
import sqlalchemy as sa
revision = "{id}"
down_revision = {down!r}
def upgrade():
{up}
def downgrade():
{back}
"""
MAKE = """
    op.execute("CREATE TABLE user (id INTEGER PRIMARY KEY, age TEXT)")
    op.execute("INSERT INTO user VALUES (1, '7')")
"""
CHANGE = """
    with op.batch_alter_table("user") as batch_op:
        batch_op.alter_column("age", type_=sa.{type})
"""


@pytest.fixture
def encrypted(make_project: ProjectMaker, tmp_path: Path) -> Project:
    path = tmp_path / "secret.db"
    project = make_project(f"sqlite+pysqlcipher://:key@/{path}")
    project.write("a1.py", REVISION.format(id="a1", down=None, up=MAKE, back="    pass"))
    up, back = CHANGE.format(type="Integer"), CHANGE.format(type="Text")
    project.write("b2.py", REVISION.format(id="b2", down="a1", up=up, back=back))
    return project


def ages(project: Project) -> list[object]:
    with project.engine().connect() as connection:
        return list(connection.execute(sa.text("SELECT age FROM user")).scalars())


def test_up_down_and_up_again(encrypted: Project, tmp_path: Path) -> None:
    assert encrypted.flask("upgrade", "a1").exit_code == 0
    assert ages(encrypted) == ["7"]
    result = encrypted.flask("upgrade")
    assert (result.exit_code, ages(encrypted)) == (0, [7])
    assert "No copy of secret.db before b2" in result.stderr
    assert "a file that is opened with pysqlcipher cannot be copied here" in result.stderr
    assert encrypted.flask("downgrade", "a1").exit_code == 0
    assert encrypted.flask("upgrade").exit_code == 0
    assert ages(encrypted) == [7]
    assert "key" not in result.stderr
    assert not (tmp_path / "secret.db").read_bytes().startswith(b"SQLite format")
    assert [one.name for one in tmp_path.glob("secret.db*")] == ["secret.db"]


def test_a_failure_leaves_nothing(encrypted: Project) -> None:
    broken = CHANGE.format(type="Integer") + '    op.execute("INSERT INTO nowhere VALUES (1)")'
    encrypted.write("b2.py", REVISION.format(id="b2", down="a1", up=broken, back="    pass"))
    assert encrypted.flask("upgrade", "a1").exit_code == 0
    assert encrypted.flask("upgrade").exit_code == 1
    assert ages(encrypted) == ["7"]
    with encrypted.engine().connect() as connection:
        text = connection.execute(sa.text("SELECT sql FROM sqlite_master WHERE name = 'user'"))
        assert "age TEXT" in text.scalar_one()
