"""Kill upgrades at random moments, run them again, and see what is there.

    python -m tests.database.kill --rounds 20 --database mysql

Each round upgrades an empty database through 20 revisions, in a real process that is killed with
SIGKILL somewhere on the way. It is run again and must reach the head, each change done once.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from tests.conftest import SERVERS
from tests.database.test_lock import APP, FIRST

STEPS = 20
# Rows before tables: on MySQL the change of a table commits what came before it.
NEXT = '''"""step {n}"""
from alembic import op
import sqlalchemy as sa

revision = "r{n:03}"
down_revision = "r{before:03}"


def upgrade():
    op.execute("UPDATE counter SET n = n + 1")
    table = op.create_table(
        "t{n}", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.String(20))
    )
    op.bulk_insert(table, [{{"name": "one"}}, {{"name": "two"}}])
    op.execute(table.insert().values(name="three"))
    op.add_column("counter", sa.Column("c{n}", sa.Integer))
    op.execute("UPDATE counter SET n = n + 100, c{n} = {n}")
    with op.get_context().autocommit_block():
        op.create_index("ix_t{n}", "t{n}", ["name"], postgresql_concurrently=True)
    op.execute("UPDATE counter SET n = n + 10000")
'''


@dataclass
class Upgrade:
    """A project on disk whose upgrade is killed.

    :param url: of an empty database.
    """

    path: Path
    url: str
    environ: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.environ = {**os.environ, "DATABASE_URL": self.url}
        (self.path / "app.py").write_text(APP)
        self.finish("init")
        versions = self.path / "migrations" / "versions"
        (versions / "r000.py").write_text(FIRST)
        for n in range(1, STEPS + 1):
            (versions / f"r{n:03}.py").write_text(NEXT.format(n=n, before=n - 1))

    def start(self, *args: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", "app", "db", *args],
            cwd=self.path,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, *args: str) -> str:
        """Run a command to its end; return what it said."""
        process = self.start(*args)
        _, talk = process.communicate(timeout=300)
        if process.returncode:
            raise AssertionError(f"{' '.join(args)} failed:\n{talk}")
        return talk

    def time(self) -> float:
        """Upgrade; return the seconds from the first thing it says to the last."""
        process = self.start("upgrade")
        assert process.stderr is not None
        times = [time.monotonic() for _ in process.stderr]
        process.communicate()
        return times[-1] - times[0]

    def kill(self, after: float) -> bool:
        """Upgrade, and kill the process so many seconds after its first step; tell if it was."""
        process = self.start("upgrade")
        assert process.stderr is not None
        process.stderr.readline()  # which database, and how far it is behind
        time.sleep(after)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return process.returncode == -signal.SIGKILL

    def problems(self) -> list[str]:
        """Return what is not as it should be at the head."""
        engine = sa.create_engine(self.url, poolclass=sa.NullPool)
        inspector = sa.inspect(engine)
        expected: list[tuple[str, Any, Any]] = []
        with engine.connect() as connection:
            row = connection.execute(sa.text("SELECT * FROM counter")).mappings().one()
            version = connection.execute(sa.text("SELECT version_num FROM alembic_version"))
            expected.append(("version", version.scalar(), f"r{STEPS:03}"))
            expected.append(("n", row["n"], STEPS * 10101))
            for n in range(1, STEPS + 1):
                names = connection.execute(sa.text(f"SELECT name FROM t{n} ORDER BY id"))
                expected.append((f"t{n}", list(names.scalars()), ["one", "two", "three"]))
                expected.append((f"c{n}", row[f"c{n}"], n))
                expected.append((f"ix_t{n}", len(inspector.get_indexes(f"t{n}")), 1))
            if engine.dialect.name == "postgresql":
                invalid = sa.text("SELECT count(*) FROM pg_index WHERE NOT indisvalid")
                expected.append(("invalid indexes", connection.execute(invalid).scalar(), 0))
        journal = [name for name in inspector.get_table_names() if name.endswith("_journal")]
        expected.append(("journal", journal, []))
        return [
            f"{what}: {found}, not {right}" for what, found, right in expected if found != right
        ]


@contextmanager
def empty_database(kind: str, folder: Path) -> Iterator[str]:
    """Make a database of a kind, and drop it."""
    name = f"migrate_kill_{uuid.uuid4().hex[:12]}"
    if kind == "sqlite":
        yield f"sqlite:///{folder / name}.db"
        return
    server = SERVERS["mariadb" if kind == "mysql" else kind]
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    try:
        yield sa.make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            force = " WITH (FORCE)" if kind == "postgresql" else ""
            connection.execute(sa.text(f"DROP DATABASE {name}{force}"))


@dataclass(frozen=True)
class Round:
    """What became of one round.

    :param after: the seconds after which the process was killed.
    :param was_killed: it had not ended before.
    :param applied: how many revisions were applied then.
    :param goes_on: a revision was half applied then.
    :param problems: what is wrong after the second run.
    """

    after: float
    was_killed: bool
    applied: int
    goes_on: bool
    problems: list[str]


def rounds(kind: str, count: int, folder: Path, seed: int = 0) -> Iterator[Round]:
    """Kill and run again ``count`` times, each time on an empty database."""
    chance = random.Random(seed)
    with empty_database(kind, folder) as url:
        whole = Upgrade(_folder(folder), url).time()
    for _ in range(count):
        with empty_database(kind, folder) as url:
            upgrade = Upgrade(_folder(folder), url)
            after = chance.uniform(0, whole)
            was_killed = upgrade.kill(after)
            talk = upgrade.finish("upgrade")
            applied = STEPS + 1 - talk.count("\n[")
            yield Round(after, was_killed, applied, "It goes on with" in talk, upgrade.problems())


def _folder(folder: Path) -> Path:
    path = folder / uuid.uuid4().hex[:8]
    path.mkdir()
    return path


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--database", choices=["mysql", "postgresql", "sqlite"], default="mysql")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    good = killed = half = 0
    with tempfile.TemporaryDirectory() as folder:
        for number, one in enumerate(
            rounds(asked.database, asked.rounds, Path(folder), asked.seed), 1
        ):
            good, killed = good + (not one.problems), killed + one.was_killed
            half += one.goes_on
            sys.stdout.write(
                f"{number:>3}  {'killed' if one.was_killed else 'ended '} after {one.after:.2f} s, "
                f"{one.applied:>2} applied{', one half' if one.goes_on else ''}: "
                f"{'; '.join(one.problems) or 'good'}\n"
            )
            sys.stdout.flush()
    sys.stdout.write(
        f"{asked.database}: {good} of {asked.rounds} good; {killed} killed on the way, "
        f"{half} in the middle of a revision\n"
    )
    return int(good != asked.rounds)


if __name__ == "__main__":
    sys.exit(main())
