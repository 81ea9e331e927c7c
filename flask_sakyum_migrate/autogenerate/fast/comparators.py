"""Is it Alembic alone that compares, and in the ways that the proof is made for?"""

from __future__ import annotations

from typing import Any

from alembic.autogenerate import comparators
from alembic.autogenerate.api import AutogenContext

_KNOWN = {
    "_compare_column_comment",
    "_compare_computed_default",
    "_compare_foreign_keys",
    "_compare_identity_default",
    "_compare_indexes_and_uniques",
    "_compare_nullable",
    "_compare_server_default",
    "_compare_table_comment",
    "_compare_type",
    "_dialect_impl_compare_server_default",
    "_dialect_impl_compare_type",
    "_setup_autoincrement",
    "_user_compare_server_default",
    "_user_compare_type",
}
"""Alembic's functions that compare tables and columns. Those of applications and packages, and
what a later Alembic brings, may see more than is proved."""


def is_usual(context: AutogenContext) -> bool:
    """Tell whether nothing but what is known here compares tables and columns.

    What compares whole schemas, as packages for views and functions do, is asked in any case.
    """
    options = context.opts
    if callable(options.get("compare_type")) or callable(options.get("compare_server_default")):
        return False
    # There is no public way to see them; Alembic before 1.18 has one collection for all.
    registry: dict[tuple[Any, ...], Any] = getattr(context, "comparators", comparators)._registry
    return all(
        _is_known(function)
        for (target, *_), functions in registry.items()
        if target in ("table", "column")
        for function in functions
    )


def _is_known(entry: Any) -> bool:
    function = entry[0] if isinstance(entry, tuple) else entry
    module = str(getattr(function, "__module__", ""))
    return module.startswith("alembic.autogenerate.") and function.__name__ in _KNOWN
