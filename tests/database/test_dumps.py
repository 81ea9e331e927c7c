"""What a dump is, how it meets the revisions and rows of a database, and what is refused."""

from __future__ import annotations

import gzip
import io
import json
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from flask_sakyum_migrate import ConfigError, HistoryError, RefusedError
from flask_sakyum_migrate.errors import DataError
from flask_sakyum_migrate.policy import Policy
from flask_sakyum_migrate.results import Question
from tests.cli.conftest import add_revision
from tests.conftest import DatabaseMaker, Project, ProjectMaker, define_user_and_log

ONE = (
    'op.create_table("user", sa.Column("id", sa.Integer, primary_key=True), '
    'sa.Column("name", sa.String(50)), sa.Column("age", sa.Integer))'
)
TWO = (
    'op.create_table("post", sa.Column("id", sa.Integer, primary_key=True), '
    'sa.Column("user_id", sa.Integer, sa.ForeignKey("user.id", name="fk_post"), nullable=False))'
)
THREE = """op.add_column("user", sa.Column("shout", sa.String(50)))
    op.execute(sa.text("UPDATE %s SET shout = upper(name)"))"""


def quoted(project: Project) -> str:
    return project.engine().dialect.identifier_preparer.quote("user")


@pytest.fixture
def school(make_project: ProjectMaker, bind_url: str) -> Project:
    """User and post at revision bb22, with rows; cc33 would fill a new column."""
    project = make_project(bind_url, models=lambda db: None)
    add_revision(project, "aa11", up=ONE)
    add_revision(project, "bb22", "aa11", up=TWO)
    project.repository.upgrade()
    execute(project, *INSERTS)
    return project


INSERTS = (
    "INSERT INTO {user} (id, name, age) VALUES (1, 'Ann', 30), (2, 'Ben', NULL), (7, 'Cleo', 5)",
    "INSERT INTO post (id, user_id) VALUES (1, 7), (2, 1)",
)


def execute(project: Project, *statements: str) -> None:
    with project.engine().begin() as connection:
        for one in statements:
            connection.exec_driver_sql(one.format(user=quoted(project)))


def names(project: Project, column: str = "name") -> list[Any]:
    with project.engine().connect() as connection:
        statement = sa.text(f"SELECT {column} FROM {quoted(project)} ORDER BY id")
        return list(connection.execute(statement).scalars())


def posts(project: Project) -> int:
    with project.engine().connect() as connection:
        return int(connection.execute(sa.text("SELECT count(*) FROM post")).scalar_one())


@pytest.fixture
def dump(school: Project, tmp_path: Path) -> Path:
    path = tmp_path / "dump.jsonl"
    school.repository.dump(path)
    return path


@pytest.fixture
def emptied(school: Project, dump: Path) -> Project:
    """The school without rows, and a dump of it."""
    school.repository.clean()
    assert names(school) == []
    return school


# ---- a dump --------------------------------------------------------------------------------------


def test_a_dump_is_a_manifest_rows_and_counts(school: Project, dump: Path) -> None:
    first, *rows, last = map(json.loads, dump.read_text("utf-8").splitlines())
    assert first["flask_sakyum_migrate"] == "dump"
    (database,) = first["databases"]
    assert database["heads"] == ["bb22"]
    assert [table["name"] for table in database["tables"]] == ["user", "post"]
    assert [one["kind"] for one in database["tables"][0]["columns"]] == [
        "integer",
        "text",
        "integer",
    ]
    assert ["user", 2, "Ben", None] in rows and ["post", 1, 7] in rows
    assert last == {"rows": {"user": 3, "post": 2}}
    assert stat.S_IMODE(dump.stat().st_mode) == 0o600
    assert list(dump.parent.glob(".*.part")) == []


def test_some_tables_and_some_rows(school: Project) -> None:
    repository = school.repository
    assert dict(repository.dump(io.BytesIO(), tables=["user"]).rows) == {"user": 3}
    assert dict(repository.dump(io.BytesIO(), exclude=["user"]).rows) == {"post": 2}
    some = repository.dump(io.BytesIO(), where={"user": "name LIKE 'A%'"})
    assert dict(some.rows) == {"user": 1, "post": 2}
    with pytest.raises(ConfigError, match=r"no table users. The tables are: post, user"):
        repository.dump(io.BytesIO(), tables=["users"])
    with pytest.raises(DataError, match=r"The rows of user cannot be read: .*nonsense"):
        repository.dump(io.BytesIO(), where={"user": "nonsense = 1"})


def test_a_failed_dump_leaves_the_older_file(school: Project, dump: Path) -> None:
    before = dump.read_bytes()
    with pytest.raises(DataError):
        school.repository.dump(dump, where={"post": "nonsense = 1"})
    assert dump.read_bytes() == before
    assert list(dump.parent.glob(".*.part")) == []


def test_a_dump_is_one_snapshot(school: Project) -> None:
    def meanwhile(table: str, rows: int) -> None:
        if table == "user" and not seen:
            seen.append(table)
            if school.engine().dialect.name == "sqlite":
                execute(school, "PRAGMA journal_mode")  # a reader may come; a writer has to wait
            else:
                execute(school, "INSERT INTO post (id, user_id) VALUES (99, 1)")

    seen: list[str] = []
    manifest = school.repository.dump(io.BytesIO(), on_rows=meanwhile)
    assert seen and dict(manifest.rows) == {"user": 3, "post": 2}


def test_a_dump_names_no_password(make_project: ProjectMaker, make_database: DatabaseMaker) -> None:
    url = sa.make_url(make_database("postgresql")).set(password="s3cret")
    project = make_project(url.render_as_string(hide_password=False))
    with project.engine().begin() as connection:
        connection.exec_driver_sql('CREATE TABLE "user" (id serial PRIMARY KEY, name text)')
    file = io.BytesIO()
    project.repository.dump(file)
    assert b"s3cret" not in file.getvalue() and b"127.0.0.1" not in file.getvalue()


# ---- into a database -----------------------------------------------------------------------------


def test_a_load_brings_the_rows_and_the_numbers_go_on(emptied: Project, dump: Path) -> None:
    loaded = emptied.repository.load(dump)
    assert dict(loaded.rows) == {"user": 3, "post": 2}
    assert names(emptied) == ["Ann", "Ben", "Cleo"]
    execute(emptied, "INSERT INTO {user} (name) VALUES ('Dan')")
    assert names(emptied, "id") == [1, 2, 7, 8]


def test_rows_that_are_there_are_not_touched_unasked(school: Project, dump: Path) -> None:
    execute(school, "UPDATE {user} SET name = 'Other' WHERE id = 1")
    with pytest.raises(
        DataError, match=r"has rows already, in user, post.*\n.*--replace"
    ) as caught:
        school.repository.load(dump)
    assert caught.value.tables == ("user", "post")
    assert names(school) == ["Other", "Ben", "Cleo"]


def test_replace_and_merge(school: Project, dump: Path) -> None:
    changed = (
        "UPDATE {user} SET name = 'Other' WHERE id = 1",
        "INSERT INTO {user} (id, name) VALUES (20, 'New')",
    )
    execute(school, *changed)
    school.repository.load(dump, merge=True)
    assert names(school) == ["Ann", "Ben", "Cleo", "New"] and posts(school) == 2
    execute(school, "INSERT INTO {user} (name) VALUES ('Next')")
    assert names(school, "id") == [1, 2, 7, 20, 21]
    school.repository.load(dump, replace=True)
    assert names(school) == ["Ann", "Ben", "Cleo"] and posts(school) == 2
    with pytest.raises(DataError, match="exclude each other"):
        school.repository.load(dump, replace=True, merge=True)


def test_a_dry_run_checks_and_changes_nothing(emptied: Project, dump: Path) -> None:
    assert emptied.repository.load(dump, dry_run=True).rows["user"] == 3
    assert names(emptied) == []
    dump.write_text(dump.read_text().replace('"Ben"', '"' + "x" * 51 + '"'))
    if emptied.engine().dialect.name != "sqlite":  # which has no limit
        with pytest.raises(DataError, match=r"line 3, table user, column name, value 'xxx"):
            emptied.repository.load(dump, dry_run=True)


def test_foreign_keys_in_any_order(emptied: Project, dump: Path) -> None:
    first, *rows, last = dump.read_text().splitlines(keepends=True)
    manifest = json.loads(first)
    manifest["databases"][0]["tables"].reverse()
    dump.write_text(json.dumps(manifest) + "\n" + "".join(reversed(rows)) + last)
    emptied.repository.load(dump)
    assert posts(emptied) == 2
    if emptied.engine().dialect.name == "sqlite":
        sa.event.listen(emptied.engine(), "connect", enforce)
        emptied.engine().dispose()
    with pytest.raises(sa.exc.IntegrityError):  # the constraint is what it was
        execute(emptied, "INSERT INTO post (id, user_id) VALUES (50, 99)")


def test_a_foreign_key_that_points_nowhere(emptied: Project, dump: Path) -> None:
    if emptied.engine().dialect.name == "sqlite":
        sa.event.listen(emptied.engine(), "connect", enforce)
        emptied.engine().dispose()
    text = (
        dump.read_text().replace('7,"Cleo",5', '8,"Cleo",5').replace('7, "Cleo", 5', '8,"Cleo",5')
    )
    dump.write_text(text)
    with pytest.raises(
        DataError, match=r"points nowhere|not present in table|violates foreign key"
    ):
        emptied.repository.load(dump)
    assert names(emptied) == [] and posts(emptied) == 0


def enforce(connection: Any, record: Any) -> None:
    connection.execute("PRAGMA foreign_keys=ON")


# ---- revisions -----------------------------------------------------------------------------------


def add_third(project: Project) -> None:
    name = quoted(project).replace('"', '\\"')
    add_revision(project, "cc33", "bb22", up=THREE % name)


def test_an_older_dump_is_upgraded_after_the_load(emptied: Project, dump: Path) -> None:
    add_third(emptied)
    emptied.repository.upgrade()
    loaded = emptied.repository.load(dump)
    assert names(emptied, "shout") == ["ANN", "BEN", "CLEO"]
    assert [one.heads for one in emptied.repository.current()] == [("cc33",)]
    assert [step.revision for one in loaded.upgrades for step in one.steps][-1] == "cc33"


def test_an_older_dump_and_rows(school: Project, dump: Path) -> None:
    add_third(school)
    school.repository.upgrade()
    with pytest.raises(DataError, match=r"bb22, older than .*cc33 and has rows.*\n.*--replace"):
        school.repository.load(dump)
    assert names(school, "shout") == ["ANN", "BEN", "CLEO"]
    execute(school, "UPDATE {user} SET name = 'Other' WHERE id = 1")
    school.repository.load(dump, replace=True)
    assert names(school, "shout") == ["ANN", "BEN", "CLEO"]


def test_a_new_database_is_brought_to_the_revision_of_the_dump(
    school: Project, dump: Path, make_project: ProjectMaker, make_database: DatabaseMaker
) -> None:
    add_third(school)
    there = make_project(
        make_database("sqlite"), models=lambda db: None, directory=school.path / "migrations"
    )
    name = quoted(there).replace('"', '\\"')
    add_revision(there, "cc33", "bb22", up=THREE % name)
    there.repository.load(dump)
    assert names(there, "shout") == ["ANN", "BEN", "CLEO"]
    assert [one.heads for one in there.repository.current()] == [("cc33",)]


def test_a_newer_or_unknown_dump_is_refused(emptied: Project, dump: Path) -> None:
    dump.write_text(dump.read_text().replace("bb22", "dd44"))
    with pytest.raises(DataError, match=r"is of revision dd44, which no file in .*versions has"):
        emptied.repository.load(dump)
    dump.write_text(dump.read_text().replace("dd44", "cc33"))
    add_third(emptied)
    with pytest.raises(DataError, match=r"cc33.*at bb22, which does not.*\n.*flask db upgrade"):
        emptied.repository.load(dump)
    execute(emptied, "UPDATE alembic_version SET version_num = 'ee55'")
    with pytest.raises(HistoryError, match="ee55"):
        emptied.repository.load(dump)


# ---- bad files -----------------------------------------------------------------------------------


def edited(old: str, new: str) -> Callable[[bytes], bytes]:
    def edit(data: bytes) -> bytes:
        text = data.decode().replace(", ", ",").replace(": ", ":")
        assert old in text
        return text.replace(old, new, 1).encode()

    return edit


BAD: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda data: b"", "is empty"),
    "another program": (lambda data: b"id;name\n1;Ann\n", "is not a dump: its first line"),
    "binary": (lambda data: bytes(range(256)) * 100, "is not a dump"),
    "json of another program": (lambda data: b'{"a": 1}\n[1]\n', "is not a dump"),
    "a later format": (edited('"format":1', '"format":2'), "has format 2"),
    "manifest without tables": (edited('"tables":', '"table":'), "manifest that is not whole"),
    "manifest without rows": (
        lambda data: data.splitlines(keepends=True)[0],
        "ends in line 1, and a dump ends with the numbers",
    ),
    "cut between lines": (
        lambda data: b"".join(data.splitlines(keepends=True)[:-1]),
        "ends in line 6, .* was cut off",
    ),
    "cut in a line": (lambda data: data[: data.index(b"Cleo")], "line 4 .* is cut off there"),
    "a line taken out": (
        lambda data: b"".join(x for x in data.splitlines(True) if b"Ben" not in x),
        "has 2 rows of user, and its last line says 3",
    ),
    "two dumps": (lambda data: data + data, "goes on behind its last line, 7"),
    "an unknown table": (edited('["post"', '["posts"'), "line 5: a row of posts, which is no"),
    "a value too many": (edited('"Ben",null', '"Ben",null,1'), "line 3: .* has 4 values, .* 3 col"),
    "a value too few": (edited('"Ben",null', '"Ben"'), "line 3: a row of user has 2 values"),
    "no row": (edited('["user",2', '{"user":2'), "line 3 is not a row of a dump"),
    "a bare number": (edited('["user",2,"Ben",null]', "17"), "line 3 is not a row of a dump"),
    "text for a number": (
        edited('"Ben",null', '"Ben","old"'),
        "line 3, table user, column age, value 'old': it is not a whole number",
    ),
    "a number for text": (edited('"Ben"', "[1]"), "line 3, table user, column name, value"),
    "a duplicate key": (edited('["user",2', '["user",1'), "(line 3|user).*(?i:unique|duplicate)"),
    "a number out of range": (edited('"Ben",null', '"Ben",' + "9" * 20), "line 3, table user"),
    "null for a key": (edited('["post",1,7]', '["post",1,null]'), "line [56], table post"),
    "another column": (edited('"name":"age"', '"name":"size"'), "user in .* has no column size"),
    "a lone surrogate": (edited('"Ben"', '"B\\ud800n"'), "half of a character"),
    "deep": (edited('"Ben"', "[" * 100_000), "line 3"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_with_a_reason(emptied: Project, dump: Path, name: str) -> None:
    edit, message = BAD[name]
    dump.write_bytes(edit(dump.read_bytes()))
    with pytest.raises(DataError, match=message) as caught:
        emptied.repository.load(dump)
    assert str(dump) in str(caught.value)
    assert names(emptied) == [] and posts(emptied) == 0


def many(dump: Path, count: int, change: Callable[[int], str] = str) -> None:
    """Write a dump of users whose rows are several batches, and more than one statement each."""
    first, *_ = dump.read_text().splitlines()
    rows = [f'["user",{change(n)},"n{n}",{n}]' + " " * 30_000 for n in range(1, count + 1)]
    last = json.dumps({"rows": {"user": count}})
    dump.write_text("\n".join([first, *rows, last, ""]))


def test_several_batches(emptied: Project, dump: Path) -> None:
    many(dump, 77)
    emptied.repository.load(dump)
    assert names(emptied) == [f"n{n}" for n in range(1, 78)]
    execute(emptied, "UPDATE {user} SET name = 'x'", "DELETE FROM {user} WHERE id > 40")
    emptied.repository.load(dump, merge=True)
    assert names(emptied) == [f"n{n}" for n in range(1, 78)]


@pytest.mark.parametrize("bad", [2, 14, 41, 77])
def test_a_row_that_is_refused_is_named_wherever_it_is(
    emptied: Project, dump: Path, bad: int
) -> None:
    many(dump, 77, lambda n: "9" * 20 if n == bad else str(n))
    with pytest.raises(DataError, match=f"line {bad + 1}, table user.*(64 bits|value 9999|range)"):
        emptied.repository.load(dump)
    assert names(emptied) == []


def test_a_nul_in_a_text(emptied: Project, dump: Path) -> None:
    dump.write_text(dump.read_text().replace('"Ben"', '"B\\u0000n"'))
    if emptied.engine().dialect.name == "postgresql":
        with pytest.raises(DataError, match=r"line 3, table user.*0x00"):
            emptied.repository.load(dump)
        return
    emptied.repository.load(dump)
    assert names(emptied) == ["Ann", "B\0n", "Cleo"]
    again = io.BytesIO()
    emptied.repository.dump(again)
    assert b'"B\\u0000n"' in again.getvalue()


def test_a_needed_column_that_the_dump_does_not_have(emptied: Project, dump: Path) -> None:
    first, *_ = dump.read_text().splitlines()
    manifest = json.loads(first)
    manifest["databases"][0]["tables"][1]["columns"].pop()
    dump.write_text(json.dumps(manifest) + '\n["post",1]\n{"rows":{"post":1}}\n')
    with pytest.raises(DataError, match=r"post in .* needs a value for user_id"):
        emptied.repository.load(dump)


def test_compressed_files(emptied: Project, dump: Path) -> None:
    packed = dump.with_suffix(".gz")
    data = gzip.compress(dump.read_bytes())
    packed.write_bytes(data[:-20])
    with pytest.raises(DataError, match="is compressed, and not whole"):
        emptied.repository.load(packed)
    packed.write_bytes(data[:40] + b"xxxx" + data[44:])
    with pytest.raises(DataError, match=r"is compressed, and not whole|is not a dump"):
        emptied.repository.load(packed)
    packed.write_bytes(b"not compressed")
    with pytest.raises(DataError, match="is not a dump"):
        emptied.repository.load(packed)
    assert names(emptied) == []
    emptied.repository.load(io.BytesIO(data))
    assert names(emptied) == ["Ann", "Ben", "Cleo"]
    emptied.repository.dump(packed)
    assert gzip.decompress(packed.read_bytes()).endswith(b'{"rows":{"user":3,"post":2}}\n')


def test_zstandard(emptied: Project, dump: Path) -> None:
    pytest.importorskip("zstandard" if sys.version_info < (3, 14) else "compression.zstd")
    emptied.repository.load(dump)
    packed = dump.with_suffix(".zst")
    emptied.repository.dump(packed)
    assert packed.read_bytes().startswith(b"\x28\xb5\x2f\xfd")
    emptied.repository.load(packed, replace=True)
    assert names(emptied) == ["Ann", "Ben", "Cleo"]
    packed.write_bytes(packed.read_bytes()[:-8])
    with pytest.raises(DataError, match=r"not whole|was cut off|is empty"):
        emptied.repository.load(packed, replace=True)
    assert names(emptied) == ["Ann", "Ben", "Cleo"]


def test_without_zstandard_the_way_to_get_it_is_said(
    school: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("zstandard", "compression.zstd"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match=r"pip install 'flask-sakyum-migrate\[zstd\]'"):
        school.repository.dump(tmp_path / "dump.zst")


def test_places_that_are_no_file(school: Project, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder"):
        school.repository.load(tmp_path)
    with pytest.raises(DataError, match="is a folder"):
        school.repository.dump(tmp_path)
    with pytest.raises(DataError, match="cannot be read: No such file"):
        school.repository.load(tmp_path / "none")
    with pytest.raises(DataError, match="cannot be written: No such file"):
        school.repository.dump(tmp_path / "none" / "dump")


def test_a_full_disk(emptied: Project, dump: Path) -> None:
    with Path("/dev/full").open("wb", buffering=0) as file:
        for place in ("/dev/full", file):
            with pytest.raises(DataError, match="/dev/full cannot be written: No space left"):
                emptied.repository.dump(place)
    if emptied.engine().dialect.name != "sqlite":  # a server's disk is nobody's to fill
        return
    many(dump, 77)
    dump.write_text(re.sub(r'"n(\d+)"', '"' + "n" * 2000 + r'\1"', dump.read_text()))
    sa.event.listen(emptied.engine(), "connect", nearly_full)
    emptied.engine().dispose()
    with pytest.raises(DataError, match=r"user.*database or disk is full. Nothing was loaded"):
        emptied.repository.load(dump)
    assert names(emptied) == []
    sa.event.remove(emptied.engine(), "connect", nearly_full)
    emptied.engine().dispose()
    emptied.repository.load(dump)
    assert len(names(emptied)) == 77


def nearly_full(connection: Any, record: Any) -> None:
    connection.execute("PRAGMA max_page_count=20")


# ---- kill -9 -------------------------------------------------------------------------------------

LOAD = """
import sys, time
sys.path.insert(0, {root!r})
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from flask_sakyum_migrate import Migrate
app = Flask("killed")
app.config["SQLALCHEMY_DATABASE_URI"] = {url!r}
db = SQLAlchemy(app)
migrate = Migrate(app, db, {folder!r})
def stop(table, rows):
    if table == "post":
        print("there", flush=True)
        time.sleep(60)
with app.app_context():
    migrate.repository.load({file!r}, on_rows=stop)
"""


def test_a_load_that_is_killed_leaves_nothing(emptied: Project, dump: Path) -> None:
    code = LOAD.format(
        root=str(Path.cwd()),
        url=emptied.engine().url.render_as_string(hide_password=False),
        folder=str(emptied.path / "migrations"),
        file=str(dump),
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "there\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    deadline = time.monotonic() + 20
    while True:  # a server notices in its own time that its client is gone
        try:
            emptied.repository.load(dump)
            break
        except DataError:
            assert time.monotonic() < deadline
    assert names(emptied) == ["Ann", "Ben", "Cleo"] and posts(emptied) == 2


# ---- several databases ---------------------------------------------------------------------------


def test_every_bind_has_its_rows(make_project: ProjectMaker, make_database: DatabaseMaker) -> None:
    project = make_project(
        make_database("sqlite"),
        binds={"logs": make_database("postgresql")},
        models=define_user_and_log,
    )
    project.repository.revision("first", autogenerate=True)
    project.repository.upgrade()
    for bind, table in ((None, "user"), ("logs", "log")):
        with project.engine(bind).begin() as connection:
            connection.exec_driver_sql(f'INSERT INTO "{table}" (id) VALUES (4), (5)')
    file = io.BytesIO()
    assert dict(project.repository.dump(file).rows) == {"user": 2, "logs:log": 2}
    project.repository.clean(bind="logs")
    with pytest.raises(DataError, match="has rows already, in user"):
        project.repository.load(io.BytesIO(file.getvalue()))
    loaded = project.repository.load(io.BytesIO(file.getvalue()), bind="logs")
    assert dict(loaded.rows) == {"logs:log": 2}
    loaded = project.repository.load(io.BytesIO(file.getvalue()), replace=True)
    assert dict(loaded.rows) == {"user": 2, "logs:log": 2}


# ---- cleaning ------------------------------------------------------------------------------------


def test_cleaning_keeps_tables_version_and_others(school: Project) -> None:
    execute(school, "CREATE TABLE somebody_elses (id INTEGER)")
    execute(school, "INSERT INTO somebody_elses VALUES (1)")
    (done,) = school.repository.clean()
    assert dict(done.rows) == {"user": 3, "post": 2}
    assert done.left == ("somebody_elses",) and not done.dropped
    assert names(school) == [] and posts(school) == 0
    assert [one.heads for one in school.repository.current()] == [("bb22",)]
    for _ in range(2):
        execute(school, "INSERT INTO {user} (name) VALUES ('First')")
        execute(school, "INSERT INTO {user} (name) VALUES ('Second')")
        assert names(school, "id") == [1, 2]
        school.repository.clean()
    (done,) = school.repository.clean(drop=True)
    assert school.tables() == {"somebody_elses"}
    school.repository.upgrade()
    assert names(school) == []


def test_cleaning_some_tables(school: Project) -> None:
    with pytest.raises(DataError, match=r"Rows of post reference user.*\n.*--tables user,post"):
        school.repository.clean(tables=["user"])
    assert names(school) == ["Ann", "Ben", "Cleo"]
    school.repository.clean(tables=["post"])
    assert posts(school) == 0 and len(names(school)) == 3
    school.repository.clean(tables=["user"])
    assert names(school) == []
    with pytest.raises(ConfigError, match="no table users"):
        school.repository.clean(tables=["users"])


def test_dropping_is_refused_where_others_reference(school: Project) -> None:
    execute(
        school,
        "CREATE TABLE theirs (id INTEGER, user_id INTEGER, "
        "FOREIGN KEY (user_id) REFERENCES {user} (id))",
    )
    with pytest.raises(DataError, match="theirs references user, and is no table of this"):
        school.repository.clean(drop=True)
    assert names(school) == ["Ann", "Ben", "Cleo"]


def test_types_go_with_the_tables(make_project: ProjectMaker, make_database: DatabaseMaker) -> None:
    project = make_project(make_database("postgresql"), models=lambda db: None)
    up = """op.create_table("car", sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("colour", sa.Enum("red", "green", name="colour")))"""
    add_revision(project, "aa11", up=up)
    project.repository.upgrade()
    execute(project, "CREATE TYPE mood AS ENUM ('sad')", "INSERT INTO car VALUES (1, 'red')")
    project.repository.clean(drop=True)
    with project.engine().connect() as connection:
        found = connection.exec_driver_sql("SELECT typname FROM pg_type WHERE typtype = 'e'")
        assert list(found.scalars()) == ["mood"]
    project.repository.upgrade()


def test_a_protected_database_loses_nothing_unasked(school: Project, dump: Path) -> None:
    asked: list[Question] = []

    def agree(question: Question) -> bool:
        asked.append(question)
        return True

    protected = replace(school.repository, policy=Policy(protected=True))
    with pytest.raises(RefusedError, match=r"protected, and this would delete 5 rows of 2 tables"):
        protected.clean()
    with pytest.raises(RefusedError, match=r"flask db load .* --replace --name"):
        protected.load(dump, replace=True)
    assert names(school) == ["Ann", "Ben", "Cleo"]
    agreeing = replace(protected, confirm=agree)
    agreeing.clean()
    assert asked[0].is_protected and asked[0].tables == (("user", 3), ("post", 2))
    assert names(school) == []
