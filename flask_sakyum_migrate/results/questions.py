"""What a person is asked; the answer comes from whoever was passed in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """What a person is asked before a protected database loses something.

    :param verb: ``downgrade``.
    :param bind: the bind key, or the keys joined by ``+`` where binds share a database.
    :param url: its URL without the password.
    :param name: the name of the database: what is to be typed.
    :param revisions: the ids of the revisions that would be taken back, in order.
    :param tables: the tables that would lose their rows, and how many those are.
    :param is_protected: whether the name of the database is to be typed, or a yes will do.
    """

    verb: str
    bind: str
    url: str
    name: str
    revisions: tuple[str, ...]
    tables: tuple[tuple[str, int], ...] = ()
    is_protected: bool = True


@dataclass(frozen=True)
class RenameQuestion:
    """What a person is asked when a table or a column is gone and another one is new.

    :param kind: ``table`` or ``column``.
    :param old: what is gone: ``exam``, ``user.name``.
    :param new: what is new: ``test``, ``user.full_name``.
    :param likeness: what is alike: ``same type``, ``3 of 4 columns the same``.
    """

    kind: str
    old: str
    new: str
    likeness: str


@dataclass(frozen=True)
class DefaultQuestion:
    """What a person is asked when a column may not be NULL and rows have no value for it.

    The answer is what ``--default`` takes; None stops.

    :param column: ``user.age``.
    :param type: its type in the database.
    :param is_new: whether the column is new; else it is there and may have been NULL.
    :param reason: why nothing is known: ``no default``.
    :param problem: what is wrong with the answer of before.
    """

    column: str
    type: str
    is_new: bool
    reason: str
    problem: str = ""
