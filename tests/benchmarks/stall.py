"""How long an application's reads stand still while a migration waits for a table that is in use.

``python tests/benchmarks/stall.py --url postgresql+psycopg2://... mysql+pymysql://...``, in an
environment with this project's test requirements. An upgrade adds a column to a table that a
reader holds for six seconds more, and the application goes on reading the same table. Each tool
has an environment of its own, as in run.py; the databases named are emptied.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.benchmarks import peers
from tests.benchmarks.databases import NAMES, backend
from tests.benchmarks.peers import Peer
from tests.benchmarks.timing import say

PEERS = (peers.FLASK_MIGRATE, peers.OURS)
READ = "SELECT count(*) FROM busy"
_EVERY = 0.02  # seconds between two reads
_LONGEST = 60.0  # seconds that a migration may take to begin
_WAITING = {
    "postgresql": "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'busy'::regclass",
    "mysql": "SELECT count(*) FROM information_schema.processlist "
    "WHERE db = DATABASE() AND state LIKE 'Waiting for table metadata lock%%'",
}
_APP = """\
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from {package} import Migrate

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = {url!r}
db = SQLAlchemy(app)
migrate = Migrate(app, db)
"""
_CREATE = '''\
"""busy"""
from alembic import op
import sqlalchemy as sa

revision = "r1"
down_revision = None


def upgrade():
    op.create_table("busy", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("INSERT INTO busy VALUES (1), (2), (3)")


def downgrade():
    op.drop_table("busy")
'''
_ALTER = '''\
"""add a column to busy"""
from alembic import op
import sqlalchemy as sa

revision = "r2"
down_revision = "r1"


def upgrade():
    op.add_column("busy", sa.Column("name", sa.String(50)))


def downgrade():
    op.drop_column("busy", "name")
'''


@dataclass(frozen=True)
class Stall:
    """What an application saw of a migration, in seconds.

    :param worst: its slowest read.
    :param middle: the median of its reads.
    :param reads: how many there were.
    :param took: from the start of the migration to its end.
    """

    worst: float
    middle: float
    reads: int
    took: float


def measure(url: str, migrate: Callable[[], object], hold: float) -> Stall:
    """Run a migration that changes the table ``busy`` while it is read.

    :param migrate: runs it, and returns when it is done.
    :param hold: seconds for which a reader keeps its transaction, and the table with it, once
        somebody waits for the table.
    """
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    held, over = threading.Event(), threading.Event()
    waited: list[float] = []

    def keep() -> None:
        with engine.connect() as connection, engine.connect() as other:
            connection.exec_driver_sql(READ).all()
            held.set()
            looking = other.execution_options(isolation_level="AUTOCOMMIT")
            until = time.monotonic() + _LONGEST
            while not looking.exec_driver_sql(_WAITING[backend(url)]).scalar():
                if over.wait(_EVERY) or time.monotonic() > until:
                    return
            time.sleep(hold)

    def read() -> None:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            while not over.wait(_EVERY):
                started = time.monotonic()
                connection.exec_driver_sql(READ).all()
                waited.append(time.monotonic() - started)

    threads = [threading.Thread(target=one) for one in (keep, read)]
    for thread in threads:
        thread.start()
    held.wait(60)
    started = time.monotonic()
    try:
        migrate()
    finally:
        took = time.monotonic() - started
        over.set()
        for thread in threads:
            thread.join()
    return Stall(max(waited), statistics.median(waited), len(waited), took)


def write(folder: Path, url: str, package: str) -> None:
    """Write an application and the two revisions; its migrations folder has been made."""
    (folder / "app.py").write_text(_APP.format(url=url, package=package), encoding="utf-8")
    versions = folder / "migrations" / "versions"
    versions.mkdir(parents=True, exist_ok=True)
    (versions / "r1.py").write_text(_CREATE, encoding="utf-8")
    (versions / "r2.py").write_text(_ALTER, encoding="utf-8")


def main() -> None:
    """Measure what is asked for; the table goes to stdout, progress to stderr."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--url", nargs="+", required=True, help="databases to use (and empty)")
    parser.add_argument(
        "--hold", type=float, default=6.0, help="seconds the reader holds the table"
    )
    parser.add_argument("--rounds", type=int, default=1)
    asked = parser.parse_args()
    lines = [
        f"A reader holds the table for {asked.hold:g} s.\n",
        "| database | tool | migration done after s | worst read s | median read ms | reads |",
        "|---|---|---|---|---|---|",
    ]
    for url in asked.url:
        for _ in range(asked.rounds):
            for peer in PEERS:
                say(f"{NAMES[backend(url)]}: {peer.name}")
                found = _measure(peer, url, asked.hold)
                lines.append(
                    f"| {NAMES[backend(url)]} | {peer.name} | {found.took:.1f} | {found.worst:.2f} "
                    f"| {found.middle * 1000:.1f} | {found.reads} |"
                )
    sys.stdout.write("\n".join(lines) + "\n")


def _measure(peer: Peer, url: str, hold: float) -> Stall:
    made = peers.environment(peer)
    folder = peers.CACHE / "projects" / f"stall-{peer.name}"
    folder.mkdir(parents=True, exist_ok=True)
    package = "flask_migrate" if peer is peers.FLASK_MIGRATE else peers.PACKAGE
    write(folder, url, package)
    environ = peers.clean_environ() | {"FLASK_APP": "app:app"}

    def flask(*arguments: str) -> None:
        command: Sequence[str] = (made.tool("flask"), "db", *arguments)
        subprocess.run(command, cwd=folder, env=environ, check=True, capture_output=True)

    if not (folder / "migrations" / "env.py").exists():
        (folder / "migrations").rename(folder / "away")
        flask("init")
        write(folder, url, package)
    _empty(url)
    flask("upgrade", "r1")
    return measure(url, lambda: flask("upgrade"), hold)


def _empty(url: str) -> None:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        metadata = sa.MetaData()
        metadata.reflect(connection)
        metadata.drop_all(connection)


if __name__ == "__main__":
    main()
