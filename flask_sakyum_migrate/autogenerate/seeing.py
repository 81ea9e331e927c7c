"""What Alembic's comparison does not see, or sees wrong: the units for it, and their options."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .constraints import checks, conditions, keys, unnamed
from .differences.pipeline import Pipeline, Unit
from .enums import label_lists
from .enums.changing import Enums
from .enums.domains import change_domains
from .enums.types import leave_types
from .fast import Equal
from .scope import ignoring, schemas
from .types import computed, defaults, identities

__all__ = ["BACK", "UNITS", "Enums", "configuring", "last"]

UNITS = (
    schemas.settle_foreign_keys,
    keys.compare,
    defaults.settle_types,
    defaults.compare_defaults,
    identities.compare,
    computed.read_again,
    computed.compare,
    label_lists.compare_mysql,
    label_lists.compare_checks,
    conditions.compare,
    checks.drop_with_columns,
    unnamed.drop_unseen,
    unnamed.name_constraints,
)
"""In this order, when it is known what is renamed and which tables go."""
BACK = (leave_types, checks.drop_with_new_columns)
"""The units for the way back."""


def last(enums: Enums) -> tuple[Unit, ...]:
    """Return the units that put types and schemas before what needs them, in their order."""
    return change_domains, enums, schemas.make_schemas


def configuring(
    pipeline: Pipeline, ignored: Sequence[str] = (), equal: Equal | None = None
) -> Callable[[dict[str, Any]], None]:
    """Make what edits the arguments of ``context.configure()`` for a comparison.

    :param pipeline: it knows the text of the revision files.
    :param ignored: patterns for tables that are not compared.
    :param equal: leaves out the tables that are proved to be equal.
    """

    def edit(options: dict[str, Any]) -> None:
        if equal is not None:
            equal.configure(options)
        defaults.own_server_defaults(options)
        schemas.compare_schemas(options, pipeline.history)
        ignoring.ignore_tables(options, ignored)

    return edit
