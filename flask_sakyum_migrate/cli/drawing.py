"""Draw the history: as git draws it, or as Mermaid text, which GitHub shows as a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from ..revisions import Revision


def lines(nodes: Sequence[Revision], label: Callable[[Revision], str]) -> Iterator[str]:
    """Draw revisions with the lines between them, newest first.

    :param nodes: each before those it stands on.
    :param label: what is written beside a revision.
    """
    shown = {node.id for node in nodes}
    lanes: list[str] = []  # which revision each lane leads to
    for node in nodes:
        if node.id not in lanes:
            lanes.append(node.id)
        here = lanes.index(node.id)
        marks = ["*" if lane == here else "|" for lane in range(len(lanes))]
        yield f"{' '.join(marks)} {label(node)}"
        below = [one for one in node.down if one in shown]
        after = [one for one in lanes if one != node.id]
        after[here:here] = [one for one in below if one not in after]
        moves = {(lane, after.index(one)) for lane, one in enumerate(lanes) if lane != here} | {
            (here, after.index(one)) for one in below
        }
        yield from _between(moves)
        lanes = after


def _between(moves: Iterable[tuple[int, int]]) -> Iterator[str]:
    """Draw the way of the lanes from one revision to the next, a step sideways in each row."""
    todo = set(moves)
    while any(start != end for start, end in todo):
        row: dict[int, str] = {}
        following = set()
        for start, end in todo:
            step = (end > start) - (end < start)
            column = 2 * start + step
            row[column] = {0: "|", 1: "\\", -1: "/"}[step]
            following.add((start + step, end))
        yield "".join(row.get(column, " ") for column in range(max(row) + 1))
        todo = following


def mermaid(nodes: Sequence[Revision], state: Callable[[Revision], str]) -> Iterator[str]:
    """Write the history as a Mermaid flowchart.

    :param state: ``applied``, ``pending`` or another word for each revision.
    """
    yield "flowchart BT"
    for node in nodes:
        text = node.message.replace('"', "#quot;").replace("\n", " ")
        yield f'  {_name(node.id)}["{node.id}<br>{text}"]:::{state(node)}'
    for node in nodes:
        for parent in node.down:
            yield f"  {_name(parent)} --> {_name(node.id)}"
        for parent in node.depends:
            yield f"  {_name(parent)} -.-> {_name(node.id)}"
    yield "  classDef applied fill:#d4edda,stroke:#28a745"
    yield "  classDef pending fill:#fff3cd,stroke:#d39e00"
    yield "  classDef unknown fill:#eeeeee,stroke:#888888"


def _name(revision: str) -> str:
    """Return a name that Mermaid takes for an id: some of its words are not."""
    return f"r_{''.join(one if one.isalnum() else '_' for one in revision)}"
