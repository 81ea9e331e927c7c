"""Statements that PostgreSQL runs outside a transaction, and what is left when one is cut short.

CREATE INDEX CONCURRENTLY leaves an index that is there, is kept up to date and is used by nobody:
INVALID. The next try says "already exists", or with IF NOT EXISTS nothing at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ...errors import DatabaseError
from .. import sqltext
from ..driver import Driver
from ..sqltext import NAME, QUALIFIED, Kind
from .fingerprints import AGAIN, Verdict
from .table import Entry

_CREATE_INDEX = re.compile(
    rf"CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?:IF\s+NOT\s+EXISTS\s+)?"
    rf"(?:(?P<name>{NAME})\s+)?ON\s+(?:ONLY\s+)?(?P<table>{QUALIFIED})",
    re.I,
)
_DROP_INDEX = re.compile(
    rf"DROP\s+INDEX\s+CONCURRENTLY\s+(?:IF\s+EXISTS\s+)?(?P<name>{QUALIFIED})", re.I
)
_ADD_VALUE = re.compile(
    rf"ALTER\s+TYPE\s+(?P<type>{QUALIFIED})\s+ADD\s+VALUE\s+(?:IF\s+NOT\s+EXISTS\s+)?"
    r"(?P<label>'(?:[^']|'')*')",
    re.I,
)
_REPEATABLE = sqltext.words("REINDEX VACUUM REFRESH ANALYZE CLUSTER CHECKPOINT GRANT REVOKE")
_WRITING = re.compile(r"CALL\b|SELECT\b.*\bINTO\b", re.I | re.S)
_INDEX = """
SELECT i.indisvalid, i.indrelid = to_regclass(?::text), i.indrelid::regclass::text,
    quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.oid
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_index i ON i.indexrelid = c.oid
WHERE c.relname = ?
AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass(?::text))
"""
_BUILDER = "SELECT pid FROM pg_stat_progress_create_index WHERE index_relid = ?"


class PostgreSQL:
    """PostgreSQL, where only what runs outside a transaction is permanent.

    :param tell: called with a sentence about an index that is dropped.
    """

    commits_ddl = False

    def __init__(self, driver: Driver, tell: Callable[[str], None]) -> None:
        self._driver = driver
        self._tell = tell

    def kind(self, text: str) -> Kind:
        """Tell what a statement does."""
        return sqltext.strongest(
            Kind.DML if _WRITING.match(part) else sqltext.kind_of(part) for part in _parts(text)
        )

    def commits(self, text: str) -> bool:
        """Tell whether a statement of the session commits."""
        return any(sqltext.first_word(part) in ("COMMIT", "END") for part in _parts(text))

    def fingerprint(self, text: str) -> str | None:
        """Tell only which may be executed twice: for the others the catalogue is asked."""
        found = _parts(text)
        once = [part for part in found if sqltext.first_word(part) not in _REPEATABLE]
        return None if once else AGAIN

    def verdict(self, entry: Entry) -> Verdict:
        """Look in the catalogue for what the statement makes or drops."""
        if entry.fingerprint == AGAIN:
            return Verdict.NOT_DONE
        text = sqltext.without_literals(entry.statement, "postgresql", literals=True)
        if made := _CREATE_INDEX.match(text):
            if made["name"] is None:
                return Verdict.UNKNOWN
            index = self._index(made)
            return Verdict.DONE if index and index[0] and index[1] else Verdict.NOT_DONE
        if dropped := _DROP_INDEX.match(text):
            gone = self._driver.value("SELECT to_regclass(?::text) IS NULL", dropped["name"])
            return Verdict.DONE if gone else Verdict.NOT_DONE
        if added := _ADD_VALUE.match(text):
            there = self._driver.value(
                "SELECT 1 FROM pg_enum WHERE enumtypid = to_regtype(?::text) AND enumlabel = ?",
                added["type"],
                added["label"][1:-1].replace("''", "'"),
            )
            return Verdict.DONE if there else Verdict.NOT_DONE
        return Verdict.UNKNOWN

    def prepare(self, text: str) -> None:
        """Drop the invalid index that an earlier try of the same statement left.

        :raises DatabaseError: the index is of another table, or is being built.
        """
        made = _CREATE_INDEX.match(sqltext.without_literals(text, "postgresql"))
        index = self._index(made) if made is not None and made["name"] else None
        if made is None or index is None or index[0]:
            return
        _, same_table, table, name, oid = index
        if not same_table:
            raise DatabaseError(
                f"The index {name} is of the table {table}, and is INVALID: a CREATE INDEX "
                "CONCURRENTLY was cut short.",
                f"If nobody needs it:  DROP INDEX CONCURRENTLY {name};",
                index=name,
                table=table,
            )
        if (self._driver.dialect.server_version_info or (0,)) >= (12,):
            builder = self._driver.value(_BUILDER, oid)
            if builder is not None:
                raise DatabaseError(
                    f"The index {name} is being built by backend pid {builder}.",
                    "Run it again when that is done.",
                    index=name,
                    table=table,
                )
        self._tell(
            f"The index {name} is INVALID: an earlier CREATE INDEX CONCURRENTLY was cut short. "
            "It is dropped and built anew."
        )
        self._driver.rows(f"DROP INDEX CONCURRENTLY {name}")

    def always_commits(self, text: str) -> bool:
        """Tell that none does."""
        return False

    def left_out(self, entry: Entry) -> None:
        """Nothing."""

    def _index(self, made: re.Match[str]) -> tuple[Any, ...] | None:
        name = sqltext.unquoted(made["name"], folds=True)
        rows = self._driver.rows(_INDEX, made["table"], name, made["table"])
        return rows[0] if rows else None


def _parts(text: str) -> list[str]:
    return sqltext.parts(sqltext.without_literals(text, "postgresql"))
