"""What the commands say on stderr: which database, each step, Alembic's own lines."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from ..errors import ConfigError

if TYPE_CHECKING:
    from ..results.comparing import NewRevision
    from ..results.foretelling import Sql
    from ..results.running import Step, UpgradeResult, Visit

# What Alembic says about itself in each run, once for each database.
_NOISE = ("setting up autogenerate plugin", "Context impl", "Will assume", "Generating static SQL")


class _Line:
    """The line of the step that runs now, which a terminal shows before it is done."""

    is_open = False

    @classmethod
    def end(cls) -> bool:
        """End it; True, so that it can be part of a condition."""
        if cls.is_open:
            cls.is_open = False
            click.echo(err=True)
        return True


def say(text: str) -> None:
    """Print a line of talk."""
    _Line.end()
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


def begun(running: Step) -> None:
    """Show on a terminal which step runs now."""
    if sys.stderr.isatty():
        _Line.end()
        click.echo(_step_words(running), nl=False, err=True)
        _Line.is_open = True


def step(done: Step) -> None:
    """Say that a step is done."""
    words = "" if _Line.is_open else _step_words(done)
    _Line.is_open = False
    click.echo(f"{words}{done.seconds:.2f} s", err=True)


def _step_words(one: Step) -> str:
    width = len(str(one.total))
    mark = "" if one.direction == "upgrade" else f"{one.direction} "
    return f"[{one.number:>{width}}/{one.total}] {mark}{one.revision} {one.message}  "


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


def tell_changes(revision: NewRevision) -> None:
    """Say what a revision changes."""
    for line in revision.changes:
        say(f"  {line}")


def wrote(revision: NewRevision) -> None:
    """Print the path of a new file; say what it changes and which revision it is."""
    tell_changes(revision)
    click.echo(str(revision.path))
    parents = ", ".join(revision.down) or "base"
    say(f"Wrote revision {revision.id} ({revision.message}), after {parents}.")


def would_write(revision: NewRevision) -> None:
    """Print the text of a file that was not written; say what it would change."""
    tell_changes(revision)
    click.echo(revision.text.rstrip("\n"))
    say(f"Nothing was written. Without --dry-run it would be {revision.path}.")


def write_sql(scripts: Sequence[Sql], output: str | None) -> None:
    """Print SQL, or write one file for each database."""
    for script in scripts:
        start = ", ".join(script.start) or "base"
        if not script.text:
            say(f"{script.bind}: env.py of this project wrote the SQL itself.")
            continue
        where = ", where the database is" if script.from_database else ""
        say(f"SQL for {script.bind} from {start}{where}.")
        if output is None:
            if len(scripts) > 1:
                click.echo(f"-- bind {script.bind}\n")
            click.echo(script.text, nl=not script.text.endswith("\n"))
            continue
        path = _sql_path(Path(output), script.bind, several=len(scripts) > 1)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(script.text, "utf-8")
        except OSError as error:
            raise ConfigError(f"{path} cannot be written: {error.strerror}.") from error
        click.echo(str(path))


def _sql_path(output: Path, bind: str, *, several: bool) -> Path:
    if output.is_dir() or not output.suffix:
        return output / f"{bind}.sql"
    return output.with_name(f"{output.stem}.{bind}{output.suffix}") if several else output


def is_verbose() -> bool:
    """Tell whether a person asked to see what Alembic says: ``FLASK_DB_VERBOSE=1``."""
    return os.environ.get("FLASK_DB_VERBOSE") == "1"


@contextmanager
def alembic_lines(stream: TextIO, *, all_of_them: bool = True) -> Iterator[None]:
    """Show Alembic's log lines for a while, unless the application shows them itself.

    :param all_of_them: else only its warnings.
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
    handler.addFilter(lambda record: _interesting(record, all_of_them) and _Line.end())
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
    return all_of_them


def _handlers(logger: logging.Logger | None) -> Sequence[logging.Handler]:
    found: list[logging.Handler] = []
    while logger is not None:
        found.extend(logger.handlers)
        logger = logger.parent if logger.propagate else None
    return found
