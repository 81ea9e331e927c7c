"""Revisions as lines of text, in the shape Alembic's commands print them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import HistoryError
from ..revisions import Revision

if TYPE_CHECKING:
    from ..repository import Repository


def line(
    node: Revision,
    *,
    parents: bool = False,
    labels: bool = False,
    doc: bool = False,
    tree: bool = True,
    current: bool = False,
) -> str:
    """One revision on one line.

    :param parents: begin with what it stands and depends on.
    :param labels: name its branch labels.
    :param doc: end with its message.
    :param tree: mark branch points and merges.
    :param current: mark it as where a database is.
    """
    text = node.id
    if parents:
        depends = f" ({', '.join(node.depends_on)})" if node.depends_on else ""
        text = f"{_down(node)}{depends} -> {text}"
    if labels and node.labels:
        text += f" ({', '.join(node.labels)})"
    if node.is_effective_head:
        text += " (head)"
    elif node.is_head:
        text += " (effective head)"
    if current:
        text += " (current)"
    if tree and node.is_branch_point:
        text += " (branchpoint)"
    if tree and node.is_merge_point:
        text += " (mergepoint)"
    return f"{text}, {node.message}" if doc else text


def data(node: Revision) -> dict[str, Any]:
    """One revision for programs, as ``--json`` prints it."""
    return {
        "id": node.id,
        "message": node.message,
        "path": node.path,
        "down": node.down,
        "depends_on": node.depends_on,
        "labels": node.labels,
        "is_head": node.is_head,
    }


def entry(node: Revision, *, current: bool = False) -> str:
    """One revision with everything its file says, as ``--verbose`` and ``show`` print it."""
    marks = "".join(
        f" ({mark})"
        for mark, holds in (
            ("head", node.is_head),
            ("branchpoint", node.is_branch_point),
            ("mergepoint", node.is_merge_point),
            ("current", current),
        )
        if holds
    )
    lines = [f"Rev: {node.id}{marks}"]
    lines.append(f"{'Merges' if node.is_merge_point else 'Parent'}: {_down(node)}")
    if node.depends_on:
        lines.append(f"Also depends on: {', '.join(node.depends_on)}")
    if node.is_branch_point:
        lines.append(f"Branches into: {', '.join(node.children)}")
    if node.labels:
        lines.append(f"Branch names: {', '.join(node.labels)}")
    lines.append(f"Path: {node.path}")
    lines.append("")
    lines.extend([f"    {text}" for text in node.doc.splitlines()] or [""])
    return "\n".join(lines) + "\n"


def branch(node: Revision, children: Sequence[Revision], *, verbose: bool) -> str:
    """A branch point with the revisions that follow it."""
    first = entry(node) if verbose else line(node, labels=True)
    indent = " " * len(node.id)
    rest = [f"{indent} -> {line(child, labels=True, doc=verbose)}" for child in children]
    return "\n".join([first, *rest]) + "\n"


def in_range(repository: Repository, rev_range: str | None) -> list[Revision]:
    """Return the revisions of a range, newest first.

    :param rev_range: ``BASE:HEAD``; either end may be empty; None for all.
    :raises HistoryError: it is not a range.
    """
    if rev_range is not None and ":" not in rev_range:
        raise HistoryError(f"{rev_range} is not a range.", "A range is BASE:HEAD, BASE: or :HEAD.")
    base, _, head = (rev_range or ":").strip().partition(":")
    return repository.history(base or "base", head or "heads")


def history(
    repository: Repository, rev_range: str | None, verbose: bool, indicate_current: bool
) -> Iterator[str]:
    """The revisions of a range, newest first; the parameters are those of `in_range`."""
    nodes = in_range(repository, rev_range)
    rows: set[str] = set()
    if indicate_current:
        rows = {row for position in repository.positions() for row in position.heads}
    for node in nodes:
        here = node.id in rows
        if verbose:
            yield entry(node, current=here)
        else:
            yield line(node, parents=True, labels=True, doc=True, current=here)


def _down(node: Revision) -> str:
    return ", ".join(node.down) or "<base>"
