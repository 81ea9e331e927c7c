"""What the commands say on stderr: which database, each step, Alembic's own lines."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

import click

if TYPE_CHECKING:
    from ..results import NewRevision, Step, UpgradeResult, Visit

# What Alembic says about itself in each run, once for each database.
_NOISE = ("setting up autogenerate plugin", "Context impl", "Will assume", "Generating static SQL")


def say(text: str) -> None:
    """Print a line of talk."""
    click.echo(text, err=True)


def name_of(bind: str, url: str) -> str:
    """Name a database: its URL, and its bind key unless it is the default one."""
    return url if bind == "default" else f"{bind}: {url}"


def started(visit: Visit) -> None:
    """Say on which database steps will run, and from where."""
    place = f"{name_of(visit.bind, visit.url)} is at {', '.join(visit.before) or 'base'}"
    if not visit.total:
        say(f"{place}: nothing to do.")
        return
    say(f"{place}: {visit.total} revision{'s' if visit.total > 1 else ''} to run.")


def step(done: Step) -> None:
    """Say that a step is done."""
    width = len(str(done.total))
    mark = "" if done.direction == "upgrade" else f"{done.direction} "
    say(
        f"[{done.number:>{width}}/{done.total}] {mark}{done.revision} {done.message}  "
        f"{done.seconds:.2f} s"
    )


def finished(result: UpgradeResult, verb: str) -> None:
    """Say what the run did, and where the databases are now."""
    visits = [visit for visit in result.visits if visit.steps]
    if not visits:
        return
    count = len({step.revision for step in result.steps})
    places = " ".join(
        f"{name_of(visit.bind, visit.url)} is now at {', '.join(visit.after) or 'base'}."
        for visit in visits
    )
    say(
        f"{'Applied' if verb == 'upgrade' else 'Took back'} {count} revision{'s' * (count > 1)}"
        f"{f' on {len(visits)} databases' if len(visits) > 1 else ''} "
        f"in {result.seconds:.2f} s. {places}"
    )


def wrote(revision: NewRevision) -> None:
    """Print the path of a new file; say which revision it is and what comes next."""
    click.echo(str(revision.path))
    parents = ", ".join(revision.down) or "base"
    say(f"Wrote revision {revision.id} ({revision.message}), after {parents}.")


@contextmanager
def alembic_lines(stream: TextIO, *, all_of_them: bool = True) -> Iterator[None]:
    """Show Alembic's log lines for a while, unless the application shows them itself.

    :param all_of_them: also those of each run; else only what autogenerate says.
    """
    logger = logging.getLogger("alembic")
    # Alembic's own NullHandler is always there; a real one means that somebody listens.
    heard = any(not isinstance(one, logging.NullHandler) for one in _handlers(logger))
    if heard and logger.isEnabledFor(logging.INFO):
        yield
        return
    handler = logging.StreamHandler(stream)
    if all_of_them:
        handler.setFormatter(logging.Formatter("%(levelname)-5.5s [%(name)s] %(message)s"))
    handler.addFilter(lambda record: _interesting(record, all_of_them))
    level, disabled = logger.level, logger.disabled
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.disabled = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.disabled = disabled


def _interesting(record: logging.LogRecord, all_of_them: bool) -> bool:
    if record.levelno > logging.INFO:
        return True
    text = record.getMessage()
    if text.startswith(_NOISE):
        return False
    return all_of_them or record.name.startswith("alembic.autogenerate")


def _handlers(logger: logging.Logger | None) -> Sequence[logging.Handler]:
    found: list[logging.Handler] = []
    while logger is not None:
        found.extend(logger.handlers)
        logger = logger.parent if logger.propagate else None
    return found
