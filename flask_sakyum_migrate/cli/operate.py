"""The commands for operating an application: ``prepare seed runs``."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from .base import command, duration, json_option, option, print_json
from .talk import alembic_lines, begun, finished, is_verbose, say, started, step

if TYPE_CHECKING:
    from ..repository import Repository
    from ..results.operation import RunRecord, Seeded


@command(
    "prepare",
    option(
        "--wait",
        callback=duration,
        default="60",
        metavar="SECONDS",
        help="How long to wait for a server that does not answer yet (default: 60; 0 tries once).",
    ),
)
def prepare(repository: Repository, wait: float) -> None:
    """Wait for the databases, make them, upgrade to the heads, seed new ones: for containers."""
    with alembic_lines(sys.stderr, all_of_them=is_verbose()):
        repository.prepare(
            wait,
            on_start=started,
            on_begin=begun,
            on_step=step,
            on_upgrade=lambda result: finished(result, "upgrade"),
            on_seed=seeded,
        )


@command("seed")
def seed(repository: Repository) -> None:
    """Call the functions that fill a new database (@migrate.seed)."""
    clock = time.perf_counter()
    count = len(repository.seed(seeded))
    seconds = time.perf_counter() - clock
    say(f"Called {count} seed function{'s' if count > 1 else ''} in {seconds:.2f} s.")


@command(
    "runs",
    option(
        "-n",
        "--limit",
        type=click.IntRange(min=1),
        default=20,
        metavar="NUMBER",
        help="How many at most (default: 20).",
    ),
    json_option(),
    bind=True,
)
def runs(repository: Repository, limit: int, as_json: bool, bind: str | None) -> None:
    """Show what was done to the databases, newest first; times are in UTC."""
    found = repository.runs(limit, bind)
    if as_json:
        print_json(found)
        return
    for record in found:
        click.echo(_line(record))
    if not found:
        off = repository.policy.runs_table is None
        say("MIGRATE_RUNS_TABLE is off." if off else "No history: nothing was run here yet.")


def seeded(done: Seeded) -> None:
    """Say that a seed function has run."""
    say(f"seed {done.name}  {done.seconds:.2f} s")


def _line(record: RunRecord) -> str:
    words = [record.direction, record.revision, record.message]
    when = record.finished or record.started
    parts = [
        f"{when:%Y-%m-%d %H:%M:%S}" if when else "",
        "" if record.bind in ("", "default") else record.bind,
        " ".join(word for word in words if word),
        "" if record.seconds is None else f"{record.seconds:.2f} s",
        "@".join(name for name in (record.user, record.host) if name),
        record.app_version,
        "" if record.outcome == "done" else record.outcome,
        record.error,
    ]
    return "  ".join(part for part in parts if part)


COMMANDS = (prepare, seed, runs)
