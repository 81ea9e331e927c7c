"""Tables that are not compared: the application has said that they are none of its business."""

from __future__ import annotations

from collections.abc import Callable, Collection, MutableMapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from ..differences.changes import full_name


def ignore_tables(options: MutableMapping[str, Any], patterns: Sequence[str]) -> None:
    """Keep tables out of a comparison, beside what somebody else keeps out: edits the options.

    :param options: keyword arguments of ``context.configure()``.
    :param patterns: with a dot for the name with the schema, else for the name in any schema.
    """
    if patterns:
        leave_out_where(options, lambda table, schema: is_ignored(table, schema, patterns))


def leave_out(options: MutableMapping[str, Any], tables: Collection[str]) -> None:
    """Keep tables out of a comparison by their names, in any schema: edits the options."""
    if tables:
        leave_out_where(options, lambda table, schema: table in tables)


def leave_out_where(
    options: MutableMapping[str, Any], unwanted: Callable[[str, str | None], bool]
) -> None:
    """Keep tables out of a comparison: edits the options.

    :param unwanted: tells it from the name and the schema of a table, whenever it is asked.
    """
    name_filter, object_filter = options.get("include_name"), options.get("include_object")

    def include_name(name: str | None, type_: str, parents: Any) -> bool:
        if type_ == "table" and name and unwanted(name, parents.get("schema_name")):
            return False
        return name_filter is None or bool(name_filter(name, type_, parents))

    def include_object(item: Any, name: str | None, type_: str, *more: Any) -> bool:
        if type_ == "table" and unwanted(item.name, item.schema):
            return False
        return object_filter is None or bool(object_filter(item, name, type_, *more))

    options["include_name"], options["include_object"] = include_name, include_object


def is_ignored(table: str, schema: str | None, patterns: Sequence[str]) -> bool:
    """Tell whether a table is not to be compared."""
    full = full_name(table, schema)
    return any(fnmatchcase(full if "." in one else table, one) for one in patterns)
