"""Which views and triggers of a SQLite database do not work, without running any of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from ...runtime.sqlite_schema import (
    Database,
    event_of,
    qualified,
    quote,
    text_of,
    tokens_of,
    update_of,
)

Health = dict[str, str]
"""What does not work, such as ``view names``, and why."""

_EVENTS = {
    "INSERT": "INSERT INTO {table} DEFAULT VALUES",
    "UPDATE": "UPDATE {table} SET {columns}",
    "DELETE": "DELETE FROM {table}",
}


def problems(database: Database, schema: str, gone: Collection[str] = ()) -> Health:
    """Compile every view and trigger.

    :param gone: columns that were dropped or renamed, in lower case. SQLite takes a name in double
        quotes that it does not find for a text (https://sqlite.org/quirks.html, section 8); these
        are not to be taken for one.
    """
    return dict([*_views(database, schema, gone), *_triggers(database, schema, gone)])


def _views(database: Database, schema: str, gone: Collection[str]) -> Iterator[tuple[str, str]]:
    for name, sql in database.objects(schema, "view").items():
        view = f"{quote(schema)}.{quote(name)}"
        reading = f"SELECT * FROM {view}"  # noqa: S608
        reason = database.does_not_compile(reading)
        strict = _strictly(sql, gone)
        if strict is not None and not reason:
            with database.trial("migrate_view"):
                database.ask(f"DROP VIEW {view}")
                database.ask(qualified(strict, schema))
                reason = database.does_not_compile(reading)
        if reason:
            yield f"view {name}", reason


def _strictly(sql: str, gone: Collection[str]) -> str | None:
    """Write names in double quotes as names that cannot be a text; None where there are none."""
    tokens = tokens_of(sql)
    doubtful = [one.text[0] == '"' and one.name.lower() in gone for one in tokens]
    if not any(doubtful):
        return None
    return text_of(
        [
            replace(token, text=f"[{token.name}]") if doubt else token
            for token, doubt in zip(tokens, doubtful, strict=True)
        ]
    )


def _triggers(database: Database, schema: str, gone: Collection[str]) -> Iterator[tuple[str, str]]:
    rows = database.ask(
        f"SELECT name, tbl_name, sql FROM {quote(schema)}.sqlite_master "  # noqa: S608
        "WHERE type = 'trigger' ORDER BY tbl_name, rowid"
    )
    firing: dict[tuple[str, str], dict[str, str]] = {}
    for name, table, sql in rows:
        firing.setdefault((table, event_of(sql)), {})[name] = sql
    for (table, event), triggers in firing.items():
        columns = _columns(database, table, schema)
        sets = ", ".join(f"{quote(one)} = {quote(one)}" for one in columns.values())
        statement = _EVENTS[event].format(table=f"{quote(schema)}.{quote(table)}", columns=sets)
        reason = database.does_not_compile(statement)
        if reason:
            yield from _culprits(database, schema, triggers, statement)
            continue
        for name, sql in triggers.items():
            missing = [one for one in update_of(sql) if one.lower() not in columns]
            if missing:
                yield f"trigger {name}", f"no such column: {missing[0]}"
            elif (strict := _strictly(sql, gone)) is not None:
                with database.trial("migrate_trigger"):
                    database.ask(f"DROP TRIGGER {quote(schema)}.{quote(name)}")
                    database.ask(qualified(strict, schema))
                    reason = database.does_not_compile(statement)
                if reason:
                    yield f"trigger {name}", reason


def _culprits(
    database: Database, schema: str, triggers: Mapping[str, str], statement: str
) -> Iterator[tuple[str, str]]:
    """Name the triggers that do not compile by themselves; others may fire one of these."""
    everything = database.objects(schema, "trigger")
    for name in triggers:
        with database.trial("migrate_trigger"):
            for other in everything:
                if other != name:
                    database.ask(f"DROP TRIGGER {quote(schema)}.{quote(other)}")
            reason = database.does_not_compile(statement)
        if reason:
            yield f"trigger {name}", reason


def _columns(database: Database, table: str, schema: str) -> dict[str, str]:
    """Return the columns that can be written, by their names in lower case."""
    rows = database.ask("SELECT name FROM pragma_table_xinfo(?, ?) WHERE hidden = 0", table, schema)
    return {name.lower(): name for (name,) in rows}
