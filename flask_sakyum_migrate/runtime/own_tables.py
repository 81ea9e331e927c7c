"""The tables of this package in a database: they are nobody's model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..binds import metadata_tuple

ENDS = ("_runs", "_journal")
"""They are called like the version table, with one of these behind it."""


def own_tables(version_table: str, runs_table: str | None = None) -> frozenset[str]:
    """Return the names of the tables that this package keeps beside the version table.

    :param runs_table: another name for the history of runs, when it has one.
    """
    names = (version_table + end for end in ENDS)
    return frozenset((*names, runs_table) if runs_table else names)


def leaving_out_own(options: Mapping[str, Any], runs_table: str | None) -> Callable[..., bool]:
    """Return an ``include_name`` that hides them from autogenerate, unless a model is for one.

    :param options: of ``context.configure()``; their own ``include_name`` has its say as well.
    :param runs_table: as for `own_tables`.
    """
    version_table = options.get("version_table") or "alembic_version"
    inner = options.get("include_name")
    every = metadata_tuple(options.get("target_metadata") or ())
    own = own_tables(version_table, runs_table) - {
        table.name for metadata in every for table in metadata.tables.values()
    }
    schemas = (None, options.get("version_table_schema"))

    def include_name(name: str | None, type_: str, parents: Any) -> bool:
        if type_ == "table" and name in own and parents.get("schema_name") in schemas:
            return False
        return inner is None or bool(inner(name, type_, parents))

    return include_name
