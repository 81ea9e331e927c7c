"""What Alembic's comparison does not see, or sees wrong: the units for it, and their options."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from . import defaults, ignoring, label_lists, schemas, unnamed
from .enum_types import leave_types
from .enums import Enums
from .pipeline import Pipeline

__all__ = ["BACK", "UNITS", "Enums", "configuring", "make_schemas"]

make_schemas = schemas.make_schemas

UNITS = (
    schemas.settle_foreign_keys,
    defaults.settle_types,
    defaults.compare_defaults,
    label_lists.compare_mysql,
    label_lists.compare_checks,
    unnamed.drop_unseen,
    unnamed.name_constraints,
)
"""In this order, when it is known what is renamed and which tables go."""
BACK = (leave_types,)
"""The units for the way back."""


def configuring(
    pipeline: Pipeline, ignored: Sequence[str] = ()
) -> Callable[[dict[str, Any]], None]:
    """Make what edits the arguments of ``context.configure()`` for a comparison.

    :param pipeline: it knows the text of the revision files.
    :param ignored: patterns for tables that are not compared.
    """

    def edit(options: dict[str, Any]) -> None:
        defaults.own_server_defaults(options)
        schemas.compare_schemas(options, pipeline.history)
        ignoring.ignore_tables(options, ignored)

    return edit
