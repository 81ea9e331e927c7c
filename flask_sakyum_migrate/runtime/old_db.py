"""Stand in for ``db`` while an edited env.py of an older generation runs.

Those files call methods that Flask-SQLAlchemy 3 dropped or changed. Worse, the multi-database ones
look for the tables of every bind in ``db.metadata``, where Flask-SQLAlchemy 3 has those of the
default bind only: autogenerate would write ``drop_table`` for all the others.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa


def stand_in(db: Any, env: str) -> Any:
    """Return what env.py gets for ``db``: the object itself where it has what env.py asks.

    :param env: the text of env.py.
    """
    if not (hasattr(type(db), "engines") and hasattr(db, "metadatas")):
        return db
    filters_tables = "info.get('bind_key')" in env and "metadatas" not in env
    return OldDb(db, filters_tables) if filters_tables or "get_engine" in env else db


class OldDb:
    """Flask-SQLAlchemy 3 with the methods that Flask-SQLAlchemy 2 had."""

    def __init__(self, db: Any, filters_tables: bool) -> None:
        self._db = db
        self._filters_tables = filters_tables

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    def get_engine(
        self, app: Any = None, bind: str | None = None, bind_key: str | None = None
    ) -> sa.Engine:
        """Return the engine of a bind; the application is the current one."""
        engine: sa.Engine = self._db.engines[bind or bind_key or None]
        return engine

    @property
    def metadata(self) -> Any:
        """The tables of every bind, each marked with its bind key, for env.py to filter."""
        if not self._filters_tables:
            return self._db.metadata
        tables: dict[Any, sa.Table] = {}
        for key, metadata in self._db.metadatas.items():
            copies = sa.MetaData()
            for name, table in metadata.tables.items():
                copy = table.to_metadata(copies)
                copy.info = {**table.info, "bind_key": key}
                tables[(key, name)] = copy
        return SimpleNamespace(tables=tables)
