"""The whole life of example_app: real commands, each in a process of its own, on each database."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import DatabaseMaker, table_names

ROOT = Path(__file__).resolve().parents[1]
CREATE, MARK, AUDIT, RENAME = "2ade6c93b6f0", "5c4d1046cddb", "0ac64d8e7a94", "7424e11ad747"
TABLES = {"alembic_version", "exam_question", "exam_choice", "user"}
CLEAN = "No new upgrade operations detected.\n"
KINDS = {"sqlite": "sqlite", "postgresql": "postgresql", "mysql": "mariadb"}


class School:
    """The example application with its databases.

    :param url: DATABASE_URL; None for the default.db of the application.
    :param audit_url: AUDIT_URL, if any.
    :param root: the folder that example_app is in.
    """

    def __init__(self, url: str | None, audit_url: str | None = None, root: Path = ROOT) -> None:
        self.urls = {"DATABASE_URL": url, "AUDIT_URL": audit_url}
        self.root = root

    def flask(self, *args: str, cwd: Path | None = None, code: int = 0) -> tuple[str, str]:
        """Run ``flask --app example_app ARGS``; return what it wrote to stdout and stderr."""
        return self.python("-m", "flask", "--app", "example_app", *args, cwd=cwd, code=code)

    def db(self, *args: str, code: int = 0) -> tuple[str, str]:
        """Run ``flask --app example_app db ARGS``."""
        return self.flask("db", *args, code=code)

    def page(self) -> tuple[int, str]:
        """Return the status and the text of the page."""
        out, _ = self.python("-c", GET)
        status, _, text = out.partition("\n")
        return int(status), text

    def python(self, *args: str, cwd: Path | None = None, code: int = 0) -> tuple[str, str]:
        """Run Python as a person at this environment would; warnings are errors."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("FLASK_", "PYTHON")) and name not in self.urls
        }
        environ = inherited | {name: url for name, url in self.urls.items() if url}
        # The pools of a process that ends are not closed by hand, which psycopg warns about.
        environ["PYTHONWARNINGS"] = "error,ignore::ResourceWarning"
        environ["PYTHONPATH"] = str(self.root)
        done = subprocess.run(
            [sys.executable, *args],
            cwd=cwd or self.root,
            env=environ,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout, done.stderr

    def rows(self, sql: str, name: str = "DATABASE_URL") -> Sequence[tuple[Any, ...]]:
        """Read rows from a database."""
        with self._connect(name) as connection:
            return [tuple(row) for row in connection.execute(sa.text(sql))]

    def execute(self, *statements: str) -> None:
        """Change rows in the database."""
        with self._connect("DATABASE_URL") as connection:
            for statement in statements:
                connection.execute(sa.text(statement))
            connection.commit()

    def tables(self, name: str = "DATABASE_URL") -> set[str]:
        """Return the tables of a database."""
        with self._connect(name) as connection:
            return table_names(connection.engine)

    def columns(self, table: str) -> list[str]:
        """Return the columns of a table."""
        with self._connect("DATABASE_URL") as connection:
            return [column["name"] for column in sa.inspect(connection).get_columns(table)]

    def _connect(self, name: str) -> sa.Connection:
        url = self.urls[name]
        assert url is not None
        return sa.create_engine(url, poolclass=sa.NullPool).connect()


GET = """
from example_app import create_app
response = create_app().test_client().get("/")
print(response.status_code)
print(response.text)
"""


@pytest.fixture
def school(bind_url: str) -> School:
    """The application on its one database, of each kind."""
    return School(bind_url)


@pytest.fixture
def audited(bind_url: str, make_database: DatabaseMaker) -> School:
    """The application with an audit database of the same kind."""
    return School(bind_url, make_database(KINDS[sa.make_url(bind_url).get_backend_name()]))


def test_up_down_and_up_again(school: School) -> None:
    out, err = school.db("current")
    assert out == "" and " has no version table" in err
    out, err = school.db("upgrade")
    assert out == ""
    assert " is at base: 4 revisions to run." in err
    assert "[4/4] 7424e11ad747 call the text of a question text" in err
    assert "audit: " not in err
    assert school.db("current")[0] == f"{RENAME} (head)\n"
    assert school.tables() == TABLES
    assert school.db("check")[0] == CLEAN
    school.db("downgrade", "base")
    assert school.tables() == {"alembic_version"}
    assert school.rows("SELECT * FROM alembic_version") == []
    school.db("upgrade")
    assert school.tables() == TABLES
    assert school.db("check")[0] == CLEAN


def test_up_down_and_up_again_with_the_audit_bind(audited: School) -> None:
    _, err = audited.db("upgrade")
    assert "\naudit: " in err
    assert audited.db("current", "--check-heads")[0] == f"{RENAME} (head)\n" * 2
    # Each table is in its own database, and in no other.
    assert audited.tables() == TABLES
    assert audited.tables("AUDIT_URL") == {"alembic_version", "audit_entry"}
    assert audited.db("check")[0] == CLEAN
    audited.db("downgrade", "base")
    assert audited.tables() == audited.tables("AUDIT_URL") == {"alembic_version"}
    audited.db("upgrade")
    assert audited.tables() == TABLES
    assert audited.tables("AUDIT_URL") == {"alembic_version", "audit_entry"}
    assert audited.db("check")[0] == CLEAN


def test_the_audit_bind_may_come_later(audited: School) -> None:
    alone = School(audited.urls["DATABASE_URL"])
    alone.db("upgrade")
    _, err = audited.db("current", "--check-heads", code=1)
    assert "Error: Not at head: audit: " in err
    _, err = audited.db("upgrade")
    assert f"is at {RENAME}: nothing to do.\naudit: " in err
    assert audited.tables("AUDIT_URL") == {"alembic_version", "audit_entry"}
    assert audited.db("check")[0] == CLEAN
    # And it may go again: what it has stays, and nobody asks for it.
    assert alone.db("check")[0] == CLEAN
    assert audited.tables("AUDIT_URL") == {"alembic_version", "audit_entry"}


def test_rows_live_through_every_revision(school: School) -> None:
    school.db("upgrade", CREATE)
    school.execute(
        "INSERT INTO exam_question (id, name) VALUES (1, 'How many legs has a fly?')",
        "INSERT INTO exam_choice (id, question_id, text) VALUES (1, 1, 'six'), (2, 1, 'eight')",
    )
    school.db("upgrade", MARK)
    school.execute("UPDATE exam_choice SET is_correct = (1 = 1) WHERE text = 'six'")
    school.db("upgrade", AUDIT)
    assert school.columns("exam_question") == ["id", "name"]
    school.execute("INSERT INTO exam_question (id, name) VALUES (2, 'Why?')")

    choices = [(1, 1, "six", True), (2, 1, "eight", False)]
    questions = [(1, "How many legs has a fly?"), (2, "Why?")]
    school.db("upgrade")
    assert school.columns("exam_question") == ["id", "text"]
    assert school.rows("SELECT * FROM exam_question ORDER BY id") == questions
    assert school.rows("SELECT * FROM exam_choice ORDER BY id") == choices
    assert school.db("check")[0] == CLEAN
    status, text = school.page()
    assert status == 200
    assert "<h2>How many legs has a fly?</h2>" in text and "<h2>Why?</h2>" in text
    assert '<li class="right">six</li>' in text and "<li>eight</li>" in text

    _, err = school.db("downgrade", "-1")
    assert f" is now at {AUDIT}." in err
    assert school.columns("exam_question") == ["id", "name"]
    assert school.rows("SELECT * FROM exam_question ORDER BY id") == questions
    school.db("downgrade", CREATE)
    assert school.columns("exam_choice") == ["id", "question_id", "text"]
    school.db("upgrade")
    assert school.rows("SELECT * FROM exam_question ORDER BY id") == questions
    assert school.rows("SELECT text, is_correct FROM exam_choice ORDER BY id") == [
        ("six", False),  # the column was gone for a while, and its marks with it
        ("eight", False),
    ]


def test_the_page_from_nothing_to_questions(audited: School) -> None:
    status, text = audited.page()
    assert status == 503
    assert "4 revisions to go" in text and "<li>keep an audit trail</li>" in text
    assert "<code>flask --app example_app db upgrade</code>" in text
    audited.db("upgrade")
    status, text = audited.page()
    assert status == 200 and "There are no questions yet." in text
    assert audited.flask("add-sample")[0] == "Added 3 questions.\n"
    status, text = audited.page()
    assert status == 200 and "There are no questions yet." not in text
    assert "<h2>How many legs does a spider have?</h2>" in text
    assert '<li class="right">8</li>' in text and "<li>6</li>" in text
    assert (text.count("<li>"), text.count('<li class="right">')) == (6, 3)
    assert audited.flask("add-sample")[0] == "There are questions already: 3.\n"
    assert audited.rows("SELECT action FROM audit_entry", "AUDIT_URL") == [
        ("Added 3 sample questions",)
    ]


def test_from_another_working_directory(url: str, tmp_path: Path) -> None:
    school = School(url)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    school.flask("db", "upgrade", cwd=elsewhere)
    assert school.flask("db", "current", cwd=elsewhere)[0] == f"{RENAME} (head)\n"
    assert school.flask("db", "check", cwd=elsewhere)[0] == CLEAN
    assert list(elsewhere.iterdir()) == []


def test_without_variables_it_is_default_db(tmp_path: Path) -> None:
    package = tmp_path / "example_app"
    shutil.copytree(
        ROOT / "example_app", package, ignore=shutil.ignore_patterns("*.db", "__pycache__")
    )
    school = School(None, root=tmp_path)
    school.db("upgrade")
    assert sorted(path.name for path in tmp_path.rglob("*.db")) == ["default.db"]
    assert school.db("current") == (
        f"{RENAME} (head)\n",
        f"sqlite:///{(package / 'default.db').as_posix()}\n",
    )
    assert School(f"sqlite:///{package / 'default.db'}").tables() == TABLES


def test_models_are_imported_when_a_command_needs_them(url: str) -> None:
    out, _ = School(url).python("-c", LAZY)
    assert out.splitlines() == [
        "no alembic",
        "exam_choice exam_question",
        "exam_choice exam_question user",
    ]
    out, _ = School(url, "sqlite://").python("-c", LAZY)
    assert out.splitlines()[-1] == "audit_entry exam_choice exam_question user"


LAZY = """
import sys
from example_app import create_app
from example_app.extensions import db, migrate

def show():
    metadatas = db.metadatas.values()
    print(*sorted(name for metadata in metadatas for name in metadata.tables))

app = create_app()
print("no alembic" if "alembic" not in sys.modules else "alembic")
show()
with app.app_context():
    migrate.repository.import_models()
show()
"""
