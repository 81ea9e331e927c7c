"""Measure ``flask db check`` where nothing differs, whole processes beside Flask-Migrate's.

``python tests/benchmarks/check.py --tables 100 500 2000 --rounds 5 --url sqlite postgresql://...``.
The same models for both, with keys, indexes, constraints and defaults; ``create_all()`` makes them.
The databases named with ``--url`` are emptied: give it some of its own.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.benchmarks import peers
from tests.benchmarks.databases import NAMES, backend
from tests.benchmarks.peers import Environment, Peer
from tests.benchmarks.timing import Case, Run, WrongResultError, measure, say

CLEAN = ("No new upgrade operations detected", "No changes in schema detected")

_APP = """\
import click
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
{importing}

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = {url!r}
db = SQLAlchemy(app)
import models
{extension}

@app.cli.command()
def ping():
    with db.engine.connect() as connection:
        click.echo(connection.execute(db.text("SELECT 'No changes in schema detected'")).scalar())


@app.cli.command()
def make():
    there = db.MetaData()
    there.reflect(db.engine)
    for tables, drops in ((there.sorted_tables[::-1], True), (db.metadata.sorted_tables, False)):
        for at in range(0, len(tables), 200):  # PostgreSQL locks no more in one transaction
            some = tables[at : at + 200]
            if drops:
                there.drop_all(db.engine, tables=some)
            else:
                db.metadata.create_all(db.engine, tables=some)
"""
_IMPORTS = {
    peers.BASE: ("", ""),
    peers.FLASK_MIGRATE: ("from flask_migrate import Migrate", "Migrate(app, db)\n"),
    peers.OURS: ("from flask_sakyum_migrate import Migrate", "Migrate(app, db)\n"),
}
_COMMANDS = {
    "ping": (peers.BASE, ["flask", "ping"]),
    "this package": (peers.OURS, ["flask", "db", "check"]),
    "this package, --no-fast": (peers.OURS, ["flask", "db", "check", "--no-fast"]),
    "Flask-Migrate": (peers.FLASK_MIGRATE, ["flask", "db", "check"]),
}


def main() -> None:
    """Measure what is asked for; the report goes to stdout, progress to stderr."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tables", type=int, nargs="+", default=[100, 500, 2000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--url", nargs="+", default=["sqlite"])
    asked = parser.parse_args()
    print_line = sys.stdout.write
    print_line("| tables | database | command | median ms | over Flask-Migrate | CPU ms |\n")
    print_line("|---|---|---|---|---|---|\n")
    for url in asked.url:
        for size in asked.tables:
            say(f"{size} tables, {NAMES[backend(url)]}")
            cases = _cases(size, url)
            for case in cases:
                case.run()
            measure(cases, asked.rounds)
            for line in _lines(size, NAMES[backend(url)], cases):
                print_line(line)


def _cases(size: int, url: str) -> list[Case]:
    folders: dict[Peer, Path] = {}
    cases = []
    for name, (peer, (program, *arguments)) in _COMMANDS.items():
        environment = peers.environment(peer)
        if peer not in folders:
            folders[peer] = _write(environment, size, url)
        argv = [environment.tool(program), *arguments]
        cases.append(Case(name, argv, folders[peer], _environ(), verify=_verify))
    return cases


def _write(environment: Environment, size: int, url: str) -> Path:
    """Write the application, make its tables, and bring it to head."""
    folder = peers.CACHE / "check" / f"{environment.peer.name.replace(' ', '-')}-{size}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if url == "sqlite":
        url = f"sqlite:///{(folder / 'app.db').as_posix()}"
    importing, extension = _IMPORTS[environment.peer]
    text = _APP.format(url=url, importing=importing, extension=extension)
    (folder / "app.py").write_text(text, "utf-8")
    (folder / "models.py").write_text("".join(_models(size)), "utf-8")
    # On a server all have one database; to Flask-Migrate the table of our runs is a difference.
    is_own = url.startswith("sqlite")
    if is_own or environment.peer is peers.BASE:
        _run(environment, folder, "make")
    if environment.peer is not peers.BASE:
        _run(environment, folder, "db", "init")
        _run(environment, folder, "db", "revision", "-m", "everything", "--rev-id", "1")
    if environment.peer is peers.FLASK_MIGRATE or (is_own and environment.peer is peers.OURS):
        _run(environment, folder, "db", "stamp", "head")
    return folder


def _models(size: int) -> Iterator[str]:
    yield "from app import db\n"
    for number in range(size):
        yield f"""

class T{number:04}(db.Model):
    __tablename__ = "t{number:04}"
    __table_args__ = (db.UniqueConstraint("code", "year", name="uq_t{number:04}_code"),)

    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(50), nullable=False, index=True)
    email = db.Column(db.String(120), unique=True)
    code = db.Column(db.String(8), nullable=False)
    year = db.Column(db.SmallInteger, nullable=False)
    body = db.Column(db.Text)
    price = db.Column(db.Numeric(10, 2))
    weight = db.Column(db.Float)
    is_open = db.Column(db.Boolean, nullable=False)
    made = db.Column(db.DateTime)

    count = db.Column(db.BigInteger, server_default="0")
"""
        if number:
            key = f'db.ForeignKey("t{(number - 1) // 2:04}.id", ondelete="CASCADE")'
            yield f"    parent_id = db.Column({key})\n"


def _environ() -> dict[str, str]:
    return peers.clean_environ() | {"FLASK_APP": "app:app"}


def _run(environment: Environment, folder: Path, *arguments: str) -> None:
    command = [environment.tool("flask"), *arguments]
    done = subprocess.run(
        command, cwd=folder, env=_environ(), check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise WrongResultError(f"{' '.join(command)}:\n{done.stderr[-2000:]}")


def _verify(run: Run) -> None:
    """See that nothing was found to differ.

    :raises WrongResultError: something was.
    """
    if not any(text in run.output for text in CLEAN):
        raise WrongResultError(run.output[-2000:])


def _lines(size: int, database: str, cases: list[Case]) -> Iterator[str]:
    yardstick = next(case for case in cases if case.tool == "Flask-Migrate")
    for case in cases:
        ratios = [
            one.wall / other.wall for one, other in zip(case.runs, yardstick.runs, strict=True)
        ]
        whole, cpu = (median(getattr(run, name) for run in case.runs) for name in ("wall", "cpu"))
        ratio = median(ratios)
        yield f"| {size} | {database} | {case.tool} | {whole:.0f} | {ratio:.2f} | {cpu:.0f} |\n"


if __name__ == "__main__":
    main()
