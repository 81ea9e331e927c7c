"""Databases that lose nothing unless a person says yes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

import sqlalchemy as sa

from ..binds import sqlite_file
from ..errors import RefusedError
from ..results.questions import Question


def is_protected(protected: bool | Sequence[str], engine: sa.Engine) -> bool:
    """Tell whether ``MIGRATE_PROTECTED`` means a database.

    :param protected: all or none; or patterns for the URL, which has no password then, and for
        the name of the database.
    """
    if isinstance(protected, bool):
        return protected
    url = engine.url
    bare = sa.URL.create(url.drivername, url.username, None, url.host, url.port, url.database)
    texts = (bare.render_as_string(), url.database or "", name_of(engine))
    return any(fnmatchcase(text, pattern) for text in texts for pattern in protected)


def name_of(engine: sa.Engine) -> str:
    """Return the name of a database as a person types it; of SQLite, that of the file."""
    path = sqlite_file(engine)
    return path.name if path is not None else engine.url.database or engine.url.drivername


def ask(
    question: Question, confirm: Callable[[Question], bool] | None, target: str, bind: str | None
) -> None:
    """Ask whether a protected database may lose something.

    :param confirm: gives the answer; without it, the answer is no.
    :param target: what was asked for, for the command that the message names.
    :raises RefusedError: the answer is no.
    """
    if confirm is not None and confirm(question):
        return
    count = len(question.revisions)
    only = f" --bind {bind}" if bind is not None else ""
    raise RefusedError(
        f"{question.url} is protected, and this would take back {count} "
        f"revision{'s' if count > 1 else ''}: {', '.join(question.revisions)}. "
        "Nothing was changed.",
        f"If it is meant:  flask db {question.verb} {target}{only} --yes",
        question=question,
    )
