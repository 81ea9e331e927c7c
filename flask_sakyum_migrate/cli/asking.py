"""Questions on a terminal; without one, nobody is asked and nothing waits."""

from __future__ import annotations

import sys

import click

from .. import results
from .talk import name_of, say


def is_terminal() -> bool:
    """Tell whether a person can read a question and type the answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask_on_terminal(question: results.Question) -> bool:
    """Have the name of a protected database typed; without a terminal, the answer is no."""
    if not is_terminal():
        return False
    where = name_of(question.bind, question.url)
    if question.tables:
        say(f"{where} would lose:")
        for table, rows in question.tables:
            say(f"  {table}  {rows:,} row{'s' if rows != 1 else ''}")
    else:
        count = len(question.revisions)
        say(
            f"{where} is protected, and this takes back {count} "
            f"revision{'s' if count > 1 else ''}: {', '.join(question.revisions)}."
        )
    if not question.is_protected:
        return click.confirm("Go on?", default=False, err=True)
    typed: str = click.prompt(
        f"Type the name of the database to go on ({question.name})",
        default="",
        show_default=False,
        err=True,
    )
    return typed.strip() == question.name


def ask_about_change(
    question: results.RenameQuestion | results.DefaultQuestion,
) -> bool | str | None:
    """Ask what a comparison cannot decide: was something renamed, what do rows get."""
    if isinstance(question, results.DefaultQuestion):
        return _ask_for_value(question)
    return click.confirm(
        f"{question.old} is gone and {question.new} ({question.likeness}) is new. Was it renamed?",
        default=False,
        err=True,
    )


def _ask_for_value(question: results.DefaultQuestion) -> str | None:
    if question.problem:
        say(f"That is not for {question.column}: {question.problem}.")
    else:
        state = "new and" if question.is_new else "now"
        say(f"{question.column} {question.type} is {state} NOT NULL and has {question.reason}.")
    nothing = "" if question.is_new else ", NOTHING when no row is NULL"
    typed: str = click.prompt(
        f"What do the rows get that have no value? (NULL for now{nothing}, sql:EXPRESSION; "
        "empty stops)",
        default="",
        show_default=False,
        err=True,
    )
    return typed or None
