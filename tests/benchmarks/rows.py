"""Dump and load, beside what an application would write with SQLAlchemy Core and json.

    python -m tests.benchmarks.rows --rows 1000000 --rounds 3 URL [URL ...]

A URL names a database that may be emptied. Each measurement is a process of its own, so that its
peak memory is its own; ours and the other one take turns. With ``--only dump`` or ``--only load``
less of it.
"""

from __future__ import annotations

import argparse
import datetime
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

METADATA = sa.MetaData()
TABLE = sa.Table(
    "measured",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(50), nullable=False),
    sa.Column("email", sa.String(80)),
    sa.Column("active", sa.Boolean),
    sa.Column("amount", sa.Numeric(10, 2)),
    sa.Column("score", sa.Double),
    sa.Column("created", sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")),
    sa.Column("born", sa.Date),
    sa.Column("note", sa.Text),
    sa.Column("token", sa.LargeBinary(16)),
)


def rows(count: int) -> Iterator[dict[str, Any]]:
    """Make rows of mixed types, the same every time."""
    dice = random.Random(1)
    start = datetime.datetime(2020, 1, 1)
    for number in range(1, count + 1):
        yield {
            "id": number,
            "name": f"User {number}",
            "email": f"user{number}@example.org" if number % 10 else None,
            "active": number % 3 == 0,
            "amount": dice.randint(0, 10**8) / 100,
            "score": dice.random(),
            "created": start + datetime.timedelta(microseconds=dice.randint(0, 10**14)),
            "born": start.date() - datetime.timedelta(days=number % 20_000),
            "note": f'Grüße aus "Berlin", Zeile {number}\nund noch eine',
            "token": dice.randbytes(16),
        }


def fill(engine: sa.Engine, count: int) -> None:
    """Make the table anew with rows in it."""
    METADATA.drop_all(engine)
    METADATA.create_all(engine)
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
    with engine.begin() as connection:
        batch: list[dict[str, Any]] = []
        for row in rows(count):
            batch.append(row)
            if len(batch) == 5000:
                connection.execute(TABLE.insert(), batch)
                batch = []
        if batch:
            connection.execute(TABLE.insert(), batch)


# ---- what is measured ----------------------------------------------------------------------------


def repository_of(url: str) -> Any:
    """Return the repository of an application for the database."""
    from flask import Flask
    from flask_sqlalchemy import SQLAlchemy

    from flask_sakyum_migrate import Migrate

    app = Flask("measured")
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    db = SQLAlchemy(app)
    TABLE.to_metadata(db.metadata)
    folder = Path(tempfile.mkdtemp()) / "migrations"
    migrate = Migrate(app, db, folder)
    with app.app_context():
        repository = migrate.repository
        repository.init()
    return repository


def our_dump(url: str, path: str) -> Callable[[], None]:
    """Dump with this package."""
    repository = repository_of(url)
    return lambda: repository.dump(path)


def our_load(url: str, path: str) -> Callable[[], None]:
    """Load with this package."""
    repository = repository_of(url)
    return lambda: repository.load(path, replace=True)


def core_dump(url: str, path: str) -> Callable[[], None]:
    """Dump as a script with SQLAlchemy Core and json would."""
    engine = sa.create_engine(url)

    def plain(value: Any) -> Any:
        return value.hex() if isinstance(value, bytes) else str(value)

    def run() -> None:
        with engine.connect() as connection, Path(path).open("w", encoding="utf-8") as file:
            streaming = connection.execution_options(yield_per=1000)
            for row in streaming.execute(TABLE.select()):
                file.write(json.dumps(["measured", *row], default=plain, ensure_ascii=False) + "\n")

    return run


def core_load(url: str, path: str) -> Callable[[], None]:
    """Load as a script with SQLAlchemy Core and json would."""
    engine = sa.create_engine(url)
    names = [column.name for column in TABLE.columns]
    readers: dict[str, Callable[[Any], Any]] = {
        "active": bool,
        "amount": float,
        "created": datetime.datetime.fromisoformat,
        "born": datetime.date.fromisoformat,
        "token": bytes.fromhex,
    }

    def read(line: str) -> dict[str, Any]:
        row = dict(zip(names, json.loads(line)[1:], strict=True))
        for name, reader in readers.items():
            row[name] = reader(row[name])
        return row

    def run() -> None:
        with engine.begin() as connection, Path(path).open(encoding="utf-8") as file:
            connection.execute(TABLE.delete())
            batch: list[dict[str, Any]] = []
            for line in file:
                batch.append(read(line))
                if len(batch) == 1000:
                    connection.execute(TABLE.insert(), batch)
                    batch = []
            if batch:
                connection.execute(TABLE.insert(), batch)

    return run


WORK = {one.__name__: one for one in (our_dump, core_dump, our_load, core_load)}


def work(name: str, url: str, path: str) -> None:
    """Do one of them; print the seconds and the peak memory in MB."""
    engine = sa.create_engine(url)
    if name.endswith("load"):  # emptying a table is not what is measured
        METADATA.drop_all(engine)
        METADATA.create_all(engine)
    engine.dispose()
    run = WORK[name](url, path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    started = time.perf_counter()
    run()
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(json.dumps({"seconds": seconds, "peak": peak, "before": before}))


def measured(name: str, url: str, path: Path) -> dict[str, float]:
    """Do one of them in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.rows", "--work", name, url, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{name} on {url}:\n{done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def compare(url: str, count: int, rounds: int, only: str) -> Iterator[str]:
    """Measure all of it on one database; give the lines of a table."""
    engine = sa.create_engine(url)
    name = engine.dialect.name
    fill(engine, count)
    engine.dispose()
    with tempfile.TemporaryDirectory() as folder:
        files = {"our": Path(folder) / "our.jsonl", "core": Path(folder) / "core.jsonl"}
        for verb in ("dump", "load"):
            runs: dict[str, list[dict[str, float]]] = {"our": [], "core": []}
            if verb not in only:
                if verb == "dump":
                    measured("our_dump", url, files["our"])
                    measured("core_dump", url, files["core"])
                continue
            for number in range(rounds):
                for side in list(runs)[:: 1 if number % 2 else -1]:
                    runs[side].append(measured(f"{side}_{verb}", url, files[side]))
            speed = {
                side: count / statistics.median(one["seconds"] for one in found)
                for side, found in runs.items()
            }
            peak = {side: max(one["peak"] for one in found) for side, found in runs.items()}
            yield (
                f"{name:<11} {verb}  ours {speed['our']:>9,.0f} rows/s {peak['our']:>5.0f} MB"
                f"   Core + json {speed['core']:>9,.0f} rows/s {peak['core']:>5.0f} MB"
                f"   x{speed['our'] / speed['core']:.2f}"
            )


def main() -> None:
    """Measure what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=("dump", "load"), default="dump load")
    parser.add_argument("--work", choices=sorted(WORK))
    parser.add_argument("urls", nargs="+")
    given = parser.parse_args()
    if given.work:
        work(given.work, *given.urls)
        return
    for url in given.urls:
        for line in compare(url, given.rows, given.rounds, given.only):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
