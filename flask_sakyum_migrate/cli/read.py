"""The commands that read: ``current history heads branches show``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

from ..errors import DatabaseError, HistoryError
from ..revisions import Revision
from . import drawing, report
from .base import command, json_option, option, print_json, revision_argument
from .foretell import show_operations
from .talk import name_of, say

if TYPE_CHECKING:
    from ..repository import Repository
    from ..results.foretelling import Plan

_VERBOSE = {"is_flag": True, "help": "Show everything the revision file says."}


@command(
    "current",
    option("-v", "--verbose", **_VERBOSE),
    option("--check-heads", is_flag=True, help="Exit with 1 unless every database is at head."),
    json_option(),
    bind=True,
)
def current(
    repository: Repository, verbose: bool, check_heads: bool, as_json: bool, bind: str | None
) -> None:
    """Show the revision each database is at."""
    positions = repository.current(bind)
    if as_json:
        print_json([{**vars(one), "revisions": _data(one.revisions)} for one in positions])
    for position in () if as_json else positions:
        name = name_of(position.bind, position.url)
        if verbose:
            click.echo(f"Current revision(s) for {position.url}:")
        else:
            state = (
                ""
                if position.heads
                else " is at base"
                if position.rows is not None
                else (" has no version table")
            )
            say(f"{name}{state}")
        for node in position.revisions:
            click.echo(report.entry(node) if verbose else report.line(node))
    if check_heads:
        heads = {node.id for node in repository.heads(resolve_dependencies=True)}
        behind = [name_of(one.bind, one.url) for one in positions if set(one.heads) != heads]
        if behind:
            target = " heads" if len(heads) > 1 else ""
            raise HistoryError(
                f"Not at head: {', '.join(behind)}.", f"Run:  flask db upgrade{target}"
            )


@command(
    "history",
    option("-r", "--rev-range", metavar="BASE:HEAD", help="Only these; either end may be empty."),
    option("-v", "--verbose", **_VERBOSE),
    option("-i", "--indicate-current", is_flag=True, help="Mark where the databases are."),
    option("--graph", is_flag=True, help="Draw the lines between them, as git does."),
    option(
        "--format",
        "shape",
        type=click.Choice(["text", "mermaid"]),
        default="text",
        help="Write a Mermaid flowchart, which GitHub and others show as a picture.",
    ),
    json_option(),
)
def history(
    repository: Repository,
    rev_range: str | None,
    verbose: bool,
    indicate_current: bool,
    graph: bool,
    shape: str,
    as_json: bool,
) -> None:
    """List the revisions, newest first."""
    if as_json:
        print_json(_data(report.in_range(repository, rev_range)))
        return
    if shape == "text" and not graph:
        _print(report.history(repository, rev_range, verbose, indicate_current))
        return
    nodes = report.in_range(repository, rev_range)
    state = _states(repository)
    if shape == "mermaid":
        _print(drawing.mermaid(nodes, state))
        return
    _print(drawing.lines(nodes, lambda node: _label(node, state(node))))


def _data(nodes: Iterable[Revision]) -> list[dict[str, Any]]:
    return [report.data(node) for node in nodes]


def _print(lines: Iterable[str]) -> None:
    """Print lines at once: click looks at the terminal each time."""
    text = "\n".join(lines)
    if text:
        click.echo(text)


def _states(repository: Repository) -> Callable[[Revision], str]:
    """Return what tells whether all databases have a revision."""
    try:
        rows = [position.heads for position in repository.positions()]
    except DatabaseError as error:
        say(f"{error.message} What is applied is not marked.")
        return lambda node: "unknown"
    graph = repository.graph()
    applied = [
        graph.ancestors([graph.nodes[one] for one in heads if one in graph]) for heads in rows
    ]
    return lambda node: "applied" if all(node.id in ids for ids in applied) else "pending"


def _label(node: Revision, state: str) -> str:
    colour = {"applied": "green", "pending": "yellow"}.get(state)
    id_ = click.style(node.id, fg=colour)
    labels = f" ({', '.join(node.labels)})" if node.labels and node.is_head else ""
    mark = "" if state != "pending" else " (pending)"
    return f"{id_}{labels}{mark} {node.message}"


@command(
    "heads",
    option("-v", "--verbose", **_VERBOSE),
    option(
        "--resolve-dependencies",
        is_flag=True,
        help="Leave out heads that another revision depends on.",
    ),
    json_option(),
)
def heads(repository: Repository, verbose: bool, resolve_dependencies: bool, as_json: bool) -> None:
    """Show the revisions the history ends in."""
    found = repository.heads(resolve_dependencies=resolve_dependencies)
    if as_json:
        print_json(_data(found))
        return
    for node in found:
        click.echo(report.entry(node) if verbose else report.line(node, labels=True, tree=False))


@command("branches", option("-v", "--verbose", **_VERBOSE), json_option())
def branches(repository: Repository, verbose: bool, as_json: bool) -> None:
    """Show where the history branches."""
    found = repository.branches()
    if as_json:
        print_json([{**report.data(node), "children": _data(after)} for node, after in found])
        return
    for node, children in found:
        click.echo(report.branch(node, children, verbose=verbose))


@command(
    "show",
    option("--ops", is_flag=True, help="Show what it does, in words."),
    option("--down", is_flag=True, help="With --ops: what its downgrade does."),
    json_option("With --ops: print it as JSON."),
    revision_argument(default="head"),
)
def show(repository: Repository, revision: str, ops: bool, down: bool, as_json: bool) -> None:
    """Show what a revision file says."""
    if (as_json or down) and not ops:
        raise click.UsageError("--json and --down go with --ops.")
    if ops:
        _show_operations(repository.operations(revision, down=down), as_json=as_json)
        return
    for node in repository.find(revision):
        click.echo(report.entry(node))


def _show_operations(found: Plan, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    for database in found.databases:
        (step,) = database.steps
        of = f"{database.bind}: " if len(found.databases) > 1 else ""
        click.echo(f"{of}{step.direction} {step.revision} {step.message}")
        show_operations(step.operations, database.bind)


COMMANDS = (current, history, heads, branches, show)
