"""A SQLite file is copied before something in it is lost: all of it, or not at all."""

from __future__ import annotations

import math
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from flask_sakyum_migrate.errors import DatabaseError
from flask_sakyum_migrate.upgrading.sqlite import backup
from flask_sakyum_migrate.upgrading.sqlite.backup import copies, make_copy
from tests.conftest import ProjectMaker
from tests.database.tables import ENVIRONMENTS, FILL, ROWS, TABLE, Tables

DROP = 'op.drop_column("user", "age")'
ADD = 'op.add_column("user", sa.Column("email", sa.String(50)))'


@pytest.fixture
def tables(make_project: ProjectMaker, url: str) -> Tables:
    made = Tables(make_project(url))
    made.setup(TABLE, FILL)
    return made


def file_of(tables: Tables) -> Path:
    return Path(str(tables.project.engine().url.database))


def ages(path: Path) -> list[Any]:
    with closing(sqlite3.connect(path)) as driver:
        assert driver.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows: list[Any] = driver.execute("SELECT count(age), sum(age) FROM user").fetchall()
        return rows


# ---- when, and what is said ----------------------------------------------------------------------


@pytest.mark.parametrize("env", ENVIRONMENTS)
@pytest.mark.parametrize("transaction", ["all", "per-revision"])
def test_a_copy_before_a_column_is_dropped(tables: Tables, env: str, transaction: str) -> None:
    if ENVIRONMENTS[env] is not None:
        (tables.project.path / "migrations" / "env.py").write_text(str(ENVIRONMENTS[env]))
    tables.revision(ADD, 'op.drop_column("user", "email")')
    tables.revision(DROP, 'op.add_column("user", sa.Column("age", sa.Integer))')
    said = tables.succeed("upgrade", "--transaction", transaction).stderr
    path = file_of(tables)
    (copy,) = copies(path)
    assert ages(copy) == [(ROWS, 5050)]
    assert f"Copied {path.name} to {copy.name} before r3 change 3, " in said
    assert "which drops the column user.age.\n" in said
    assert said.index("Copied") < said.index("[1/2] r2")
    assert copy.stat().st_mode == path.stat().st_mode
    with closing(sqlite3.connect(copy)) as driver:
        assert driver.execute("SELECT version_num FROM alembic_version").fetchall() == [("r1",)]
    said = tables.succeed("downgrade", "r1", "--transaction", transaction).stderr
    assert "before r2 change 2, whose downgrade drops the column user.email." in said
    assert len(copies(path)) == 2


def test_no_copy_when_nothing_is_lost(tables: Tables) -> None:
    tables.revision(ADD, DROP)
    assert "Copied" not in tables.succeed("upgrade").stderr
    assert copies(file_of(tables)) == []


def test_no_copy_of_a_database_without_rows(make_project: ProjectMaker, url: str) -> None:
    tables = Tables(make_project(url))
    tables.setup(TABLE)
    tables.revision(DROP)
    assert "Copied" not in tables.succeed("upgrade").stderr
    tables.do("INSERT INTO user VALUES (1, 'x')")
    tables.revision('op.drop_table("user")')
    assert "drops the table user" in tables.succeed("upgrade").stderr


def test_no_copy_of_a_database_in_memory(make_project: ProjectMaker) -> None:
    tables = Tables(make_project("sqlite://"))
    tables.setup(TABLE, FILL)
    tables.revision(DROP)
    assert "Copied" not in tables.succeed("upgrade").stderr


def test_options_and_settings(tables: Tables) -> None:
    path = file_of(tables)
    tables.revision(DROP, 'op.add_column("user", sa.Column("age", sa.Integer))')
    said = tables.succeed("upgrade", "--no-backup").stderr
    assert "opy" not in said and copies(path) == []

    tables.succeed("downgrade", "--no-backup")
    tables.project.app.config["MIGRATE_BACKUP"] = 0.001
    said = tables.succeed("upgrade").stderr
    assert f"No copy of {path.name} before r2 change 2, which drops the column user.age" in said
    assert "MIGRATE_BACKUP" in said and copies(path) == []

    tables.succeed("downgrade", "--no-backup")
    assert "Copied" in tables.succeed("upgrade", "--backup").stderr
    assert len(copies(path)) == 1

    tables.succeed("downgrade", "--no-backup")
    tables.project.app.config["MIGRATE_BACKUP"] = False
    assert "opy" not in tables.succeed("upgrade").stderr
    assert len(copies(path)) == 1
    policy = tables.project.repository.policy
    assert (policy.backup, replace(policy, backup=math.inf).backup) == (0, math.inf)


def test_the_newest_three_are_kept(tables: Tables) -> None:
    path = file_of(tables)
    names = ("20200101-000000", "20200102-000000", "20200103-000000", "mine", "20200104-000000x")
    for name in names:
        path.with_name(f"{path.name}.backup-{name}").write_text("x")
    path.with_name(f"{path.name}.backup-20200101-000000.unfinished").write_text("x")
    tables.revision(DROP)
    tables.succeed("upgrade")
    left = sorted(one.name.partition(".backup-")[2] for one in path.parent.glob("*.backup-*"))
    assert left[:2] == ["20200102-000000", "20200103-000000"]
    assert left[2] == "20200104-000000x" and left[4:] == ["mine"]
    assert re.fullmatch(r"20[3-9][0-9]{5}-[0-9]{6}|202[0-9]{5}-[0-9]{6}", left[3])


# ---- what is in the copy -------------------------------------------------------------------------


def test_a_copy_has_what_is_committed_in_the_write_ahead_log(tables: Tables) -> None:
    tables.do("PRAGMA journal_mode=WAL")
    tables.do("PRAGMA wal_autocheckpoint=0")
    path = file_of(tables)
    with closing(sqlite3.connect(path)) as application:
        application.execute("UPDATE user SET age = 1")
        application.commit()
        tables.revision(DROP)
        tables.succeed("upgrade")
        (copy,) = copies(path)
    assert ages(copy) == [(ROWS, ROWS)]
    assert not list(path.parent.glob("*.unfinished*"))


def test_a_transaction_that_is_not_committed_is_not_in_the_copy(tables: Tables) -> None:
    path = file_of(tables)
    tables.revision(DROP)
    with tables.project.app.app_context(), tables.project.engine().connect() as connection:
        connection.exec_driver_sql("UPDATE user SET age = 1")
        tables.project.repository.upgrade(connection=connection)
        connection.rollback()
    (copy,) = copies(path)
    assert ages(copy) == [(ROWS, 5050)]


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_a_file_that_the_application_locks_for_itself_alone(
    tables: Tables, env: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It begins each transaction with BEGIN EXCLUSIVE, as SQLAlchemy's documentation has it."""
    monkeypatch.setattr(backup, "_PATIENCE", 0.1)
    if ENVIRONMENTS[env] is not None:
        (tables.project.path / "migrations" / "env.py").write_text(str(ENVIRONMENTS[env]))
    tables.revision(DROP)
    path, engine = file_of(tables), tables.project.engine()
    engine.dispose()
    sa.event.listen(engine, "connect", lambda one, _: setattr(one, "isolation_level", None))
    sa.event.listen(engine, "begin", lambda one: one.exec_driver_sql("BEGIN EXCLUSIVE"))
    result = tables.project.flask("upgrade")
    assert result.exit_code == 1
    assert "(database is locked), so nothing was run." in result.stderr
    assert "While another transaction locks it" in result.stderr and "--no-backup" in result.stderr
    assert copies(path) == [] and ages(path) == [(ROWS, 5050)]
    assert tables.project.flask("upgrade", "--no-backup").exit_code == 0


# ---- when it cannot be made ----------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte; it takes root to make one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("looks_full", [True, False])
def test_a_full_disk(
    make_project: ProjectMaker,
    small_disk: Path,
    monkeypatch: pytest.MonkeyPatch,
    looks_full: bool,
) -> None:
    tables = Tables(make_project(f"sqlite:///{small_disk / 'app.db'}"))
    tables.setup(TABLE, FILL, "UPDATE user SET name = hex(randomblob(3000))")
    tables.revision('op.execute("UPDATE user SET age = 2 WHERE id = 1")')
    if not looks_full:  # it fills up meanwhile
        monkeypatch.setattr(shutil, "disk_usage", lambda _: type("Usage", (), {"free": math.inf}))
    before = tables.everything()
    result = tables.project.flask("upgrade")
    assert result.exit_code == 1
    assert "could not be copied before something is lost" in result.stderr
    assert ("are needed" if looks_full else "disk is full") in result.stderr
    assert "--no-backup" in result.stderr
    assert tables.everything() == before
    assert sorted(one.name for one in small_disk.iterdir()) == ["app.db"]
    tables.succeed("upgrade", "--no-backup")


def test_a_folder_that_cannot_be_written(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write everywhere, so the system's answer is given in its place."""
    tables.revision(DROP)
    before = tables.everything()

    def refuse(path: Any, flags: int, *more: Any) -> int:
        if str(path).endswith(".unfinished"):
            raise PermissionError(13, "Permission denied")
        return opened(path, flags, *more)

    opened = os.open
    monkeypatch.setattr(os, "open", refuse)
    result = tables.project.flask("upgrade")
    assert result.exit_code == 1
    assert "(Permission denied), so nothing was run." in result.stderr
    assert tables.everything() == before and copies(file_of(tables)) == []


@pytest.mark.skipif(
    os.name == "nt" or os.geteuid() != 0, reason="it takes root to be somebody else"
)
def test_a_folder_of_somebody_else(tables: Tables) -> None:
    path = file_of(tables)
    code = (
        "import os, pathlib, sqlite3, sys\n"
        f"sys.path.insert(0, {str(Path.cwd())!r})\n"
        "from flask_sakyum_migrate.upgrading.sqlite.backup import make_copy\n"
        f"driver = sqlite3.connect({str(path)!r})\n"
        "driver.execute('SELECT 1 FROM user').fetchone()\n"
        "os.setuid(65534)\n"
        "try:\n"
        f"    make_copy(pathlib.Path({str(path)!r}), driver)\n"
        "except Exception as error:\n"
        "    print(error)\n"
    )
    for folder in (path.parent, *path.parent.parents):
        if folder.name.startswith(("pytest-", "popen-")):
            folder.chmod(0o755)
    path.parent.chmod(0o755)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Permission denied" in done.stdout and "--no-backup" in done.stdout, done.stderr
    assert copies(path) == []


def test_a_copy_that_is_killed_has_not_the_name_of_one(tables: Tables) -> None:
    path = file_of(tables)
    tables.do("CREATE TABLE more AS SELECT hex(randomblob(100000)) AS x FROM user")
    code = (
        "import os, pathlib, signal, sqlite3\n"
        "from flask_sakyum_migrate.upgrading.sqlite import backup\n"
        "def kill(path):\n"
        "    print(path.stat().st_size, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "backup._sync = kill\n"
        f"path = pathlib.Path({str(path)!r})\n"
        "backup.make_copy(path, sqlite3.connect(path))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL and int(done.stdout) == path.stat().st_size
    assert copies(path) == []
    assert len(list(path.parent.glob("*.unfinished"))) == 1
    with closing(sqlite3.connect(path)) as driver:
        copy = make_copy(path, driver)
    assert ages(copy) == [(ROWS, 5050)]
    assert not list(path.parent.glob("*.unfinished"))


def test_an_error_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    path.write_text("this is no database, and long enough to be taken for a broken one " * 50)
    with closing(sqlite3.connect(path)) as driver, pytest.raises(DatabaseError) as raised:
        make_copy(path, driver)
    assert raised.value.path == path and "not a database" in str(raised.value)
    assert list(tmp_path.iterdir()) == [path]
