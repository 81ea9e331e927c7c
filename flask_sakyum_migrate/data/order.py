"""Parents before children; tables that reference each other stay as they are named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence


def parents_first(names: Sequence[str], parents: Mapping[str, Iterable[str]]) -> list[str]:
    """Sort tables so that those that are referenced come before those that reference them.

    Where that is impossible, because they go round in a circle, the first name comes first.

    :param parents: the tables that each one references.
    """
    known = set(names)
    waiting = {
        name: {one for one in parents.get(name, ()) if one in known and one != name}
        for name in sorted(names)
    }
    found: list[str] = []
    while waiting:
        ready = [name for name, before in waiting.items() if not before]
        for name in ready or [_most_wanted(waiting)]:
            found.append(name)
            del waiting[name]
        done = set(found)
        for before in waiting.values():
            before -= done
    return found


def _most_wanted(waiting: Mapping[str, set[str]]) -> str:
    """Choose the table of a circle that most others wait for."""
    circles = {name for before in waiting.values() for name in before}
    return max(sorted(circles), key=lambda name: sum(name in before for before in waiting.values()))
