"""From what the files say to revisions that know their neighbours, or to what is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from ..errors import HistoryError
from .headers import Header
from .revision import Revision

Nodes = dict[str, Revision]

_ILLEGAL = re.compile(r"[@+:-]")


def build(headers: Iterable[Header]) -> tuple[Nodes, Nodes]:
    """Return the revisions by id, in the order of the headers, and those that have a label by it.

    :raises HistoryError: they are no history; `Graph` says when.
    """
    nodes: Nodes = {}
    for header in headers:
        _add(nodes, header)
    labels = _own_labels(nodes)
    _connect(nodes, labels)
    _check_cycles(nodes)
    _spread_labels(nodes, labels)
    return nodes, labels


def reach(
    nodes: Nodes, start: Iterable[Revision], following: Callable[[Revision], Iterable[str]]
) -> set[str]:
    """Return the ids of the given revisions, and of all that can be come to from them.

    :param following: gives the ids that come after a revision.
    """
    todo = [node.id for node in start]
    seen = set(todo)
    while todo:
        for one in following(nodes[todo.pop()]):
            if one not in seen:
                seen.add(one)
                todo.append(one)
    return seen


def _add(nodes: Nodes, header: Header) -> None:
    if _ILLEGAL.search(header.revision):
        raise HistoryError(
            f"{header.path}: the revision id {header.revision} has one of the characters "
            "@ + - : which stand for something else on the command line.",
            "Change the id in that file.",
            path=header.path,
        )
    other = nodes.get(header.revision)
    if other is not None:
        raise HistoryError(
            f"Two files have the revision id {header.revision}: {other.path} and {header.path}",
            "Delete the copy, or give it an id of its own.",
            revision=header.revision,
            paths=(other.path, header.path),
        )
    nodes[header.revision] = Revision(
        header.revision,
        header.down,
        header.depends,
        header.labels,
        header.doc,
        header.path,
    )


def _own_labels(nodes: Nodes) -> Nodes:
    labels: Nodes = {}
    for node in nodes.values():
        for label in node.labels:
            other = labels.setdefault(label, node)
            other = nodes.get(label, other)
            if other is not node:
                raise HistoryError(
                    f"The branch label {label} is used twice: {other.path} and {node.path}",
                    label=label,
                )
    return labels


def _connect(nodes: Nodes, labels: Nodes) -> None:
    for node in nodes.values():
        node.parents = node.down if len(node.down) < 2 else tuple(dict.fromkeys(node.down))
        if node.depends_on:
            node.depends = tuple(_dependency(nodes, labels, node, name) for name in node.depends_on)
            more = dict.fromkeys(one for one in node.depends if one not in node.down)
            node.parents = (*node.parents, *more)
        for parent in node.parents:
            below = nodes.get(parent)
            if below is None:
                raise HistoryError(
                    f"{node.path} stands on revision {parent}, which no revision file has.",
                    "Bring that file back, or mend `down_revision`.",
                    path=node.path,
                    revision=parent,
                )
            below.dependents.append(node.id)
            if parent in node.down:
                below.children.append(node.id)


def _dependency(nodes: Nodes, labels: Nodes, node: Revision, name: str) -> str:
    if name in nodes:
        return name
    if name in labels:
        return labels[name].id
    raise HistoryError(
        f"{node.path} depends on {name}, which no revision file has.",
        "Bring that file back, or mend `depends_on`.",
        path=node.path,
        revision=name,
    )


def _check_cycles(nodes: Nodes) -> None:
    waiting = {one: len(node.parents) for one, node in nodes.items()}
    ready = [one for one, count in waiting.items() if not count]
    for one in ready:  # grows meanwhile
        for child in nodes[one].dependents:
            waiting[child] -= 1
            if not waiting[child]:
                ready.append(child)
    if len(ready) < len(nodes):
        looped = _loop(nodes, [node for one, node in nodes.items() if waiting[one]])
        files = ", ".join(node.path for node in looped)
        raise HistoryError(
            "These revisions stand on each other in a circle: "
            f"{' -> '.join(node.id for node in [*looped, looped[0]])}  ({files})",
            "Mend `down_revision` (or `depends_on`) in one of them.",
            revisions=tuple(node.id for node in looped),
        )


def _loop(nodes: Nodes, candidates: Sequence[Revision]) -> list[Revision]:
    inside = {node.id for node in candidates}
    # Revisions above the circle wait for it too: follow the parents, which lead into it.
    node, seen = candidates[0], []
    while node not in seen:
        seen.append(node)
        node = nodes[next(parent for parent in node.parents if parent in inside)]
    return seen[seen.index(node) :]


def _spread_labels(nodes: Nodes, labels: Nodes) -> None:
    """Give a branch's label to its revisions: up to the heads, down to where it branched.

    As Alembic does it: down from the head, and not at all when the branch forks.
    """
    for label, owner in labels.items():
        branch = reach(nodes, [owner], lambda node: node.children)
        tips = [one for one in branch if not nodes[one].children]
        forks = any(len(nodes[one].children) > 1 for one in branch)
        node = None if forks else nodes[tips[0]]
        while node is not None and len(node.dependents) < 2 and not node.is_merge_point:
            branch.add(node.id)
            node = nodes[node.down[0]] if node.down else None
        for one in branch:
            node = nodes[one]
            if label not in node.labels:
                node.labels = (*node.labels, label)
