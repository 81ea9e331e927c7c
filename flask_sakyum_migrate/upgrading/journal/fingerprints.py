"""What makes a statement permanent on a kind of database, and whether one in doubt has run.

A statement is in doubt when the journal has its beginning and not its end: the process or the
server went away meanwhile. MySQL and MariaDB change a table in full or not at all, so the table
tells: what SHOW CREATE gave before the statement is compared with what it gives now.
"""

from __future__ import annotations

import enum
import hashlib
import json
import re
from typing import Protocol

from .. import sqltext
from ..driver import Driver, error_code
from ..sqltext import QUALIFIED, Kind
from .table import Entry


class Verdict(enum.Enum):
    """What became of a statement in doubt."""

    DONE = "done"
    NOT_DONE = "not done"
    UNKNOWN = "unknown"


AGAIN = "again"
"""The fingerprint of a statement that may be executed twice."""


class Server(Protocol):
    """What differs between the kinds of databases."""

    commits_ddl: bool
    """A change of tables is permanent at once, and what came before it."""

    def kind(self, text: str) -> Kind:
        """Tell what a statement does."""

    def commits(self, text: str) -> bool:
        """Tell whether a statement of the session makes permanent what came before it."""

    def fingerprint(self, text: str) -> str | None:
        """Return how that looks what a statement is to change; None: nothing would tell."""

    def verdict(self, entry: Entry) -> Verdict:
        """Tell whether a statement in doubt has run."""

    def prepare(self, text: str) -> None:
        """Do what a statement needs that commits by itself, before it."""

    def always_commits(self, text: str) -> bool:
        """Tell whether nothing of the transaction is left open after a statement."""

    def left_out(self, entry: Entry) -> None:
        """Set up what a statement that is left out has set up when it ran."""


# ---- MySQL and MariaDB -----------------------------------------------------------------------

_COMMITTING = sqltext.words("ALTER CREATE DROP RENAME TRUNCATE INSTALL UNINSTALL")
_REPEATABLE = sqltext.words("ANALYZE OPTIMIZE REPAIR CHECK CHECKSUM FLUSH GRANT REVOKE CACHE RESET")
_COMMITS = re.compile(
    r"(BEGIN|START|COMMIT|LOCK|UNLOCK)\b|SET\b.*\b(AUTOCOMMIT|PASSWORD)\b", re.I | re.S
)
_TEMPORARY = re.compile(r"(CREATE|DROP)\s+(OR\s+REPLACE\s+)?TEMPORARY\b", re.I)
_WITH_BODY = re.compile(
    r"(CREATE|ALTER)\b[^(]*?\b(TRIGGER|PROCEDURE|FUNCTION|EVENT|PACKAGE)\b|BEGIN\s+NOT\s+ATOMIC\b",
    re.I,
)
_IF = r"(?:IF\s+(?:NOT\s+)?EXISTS\s+)?"
_ANYTHING = r"(?:(?!\bTABLE\b|\bVIEW\b|\bTRIGGER\b|\bPROCEDURE\b|\bFUNCTION\b|\bEVENT\b)[^(])*?"
_ONE = rf"{_IF}(?P<name>{QUALIFIED})"
_OBJECTS = r"(?P<type>TABLE|VIEW|TRIGGER|PROCEDURE|FUNCTION|EVENT|SEQUENCE|DATABASE|SCHEMA)"
_INDEX = rf"(?:\w+\s+)*?INDEX\s+{_IF}{sqltext.NAME}\s+(?:USING\s+\w+\s+)?ON"
_TARGETS = [
    re.compile(rf"(?:CREATE|DROP)\s+{_INDEX}\s+(?P<name>{QUALIFIED})", re.I),
    re.compile(rf"DROP\s+{_OBJECTS}S?\s+{_IF}(?P<name>{QUALIFIED}(?:\s*,\s*{QUALIFIED})*)", re.I),
    re.compile(rf"(?:CREATE|ALTER)\b{_ANYTHING}\b{_OBJECTS}\s+{_ONE}", re.I | re.S),
]
_RENAME = re.compile(rf"RENAME\s+TABLES?\s+{_IF}(?P<pairs>.*)", re.I | re.S)
_PAIR = re.compile(rf"(?P<old>{QUALIFIED})\s+(?:(?:NO)?WAIT\b.*?)?TO\s+(?P<new>{QUALIFIED})", re.I)
# The rows are elsewhere afterwards, or gone, and the table looks the same.
_INVISIBLE = re.compile(
    r"TRUNCATE\b|CREATE\s+OR\s+REPLACE\s+(TABLE|SEQUENCE)\b"
    r"|ALTER\b.*\b((EXCHANGE|TRUNCATE|CONVERT)\s+PARTITION|TABLESPACE)\b",
    re.I | re.S,
)
_ABSENT = frozenset({1008, 1049, 1051, 1146, 1305, 1347, 1360, 1539, 4091})
_NONE = "absent"
_COUNTER = re.compile(r" AUTO_INCREMENT=\d+")


class MySQL:
    """MySQL and MariaDB, which commit with each change of a table."""

    commits_ddl = True

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        quote = driver.dialect.identifier_preparer.initial_quote
        self._syntax = "mysql ansi" if quote == '"' else "mysql"

    def kind(self, text: str) -> Kind:
        """Tell what a statement does: as a change of tables counts all that commits."""
        return sqltext.strongest(self._kind(part) for part in self._parts(text))

    def _kind(self, text: str) -> Kind:
        word = sqltext.first_word(text)
        if _TEMPORARY.match(text) or (word == "LOAD" and "INDEX" not in text.upper().split()):
            return Kind.DML  # these two do not commit
        return Kind.DDL if _WITH_BODY.match(text) else sqltext.kind_of(text)

    def commits(self, text: str) -> bool:
        """Tell whether a statement of the session commits."""
        return any(_COMMITS.match(part) for part in self._parts(text))

    def fingerprint(self, text: str) -> str | None:
        """Return the hashes of what SHOW CREATE gives for what a statement names."""
        found = self._parts(text)
        if found and all(sqltext.first_word(part) in _REPEATABLE for part in found):
            return AGAIN
        looks: dict[str, str] = {}
        for part in found:
            if self._kind(part) is not Kind.DDL:
                return None
            targets = targets_of(part)
            if not targets:
                return None
            for target in targets:
                look = self._look(target)
                if look is None:
                    return None
                looks[target] = look
        return json.dumps(looks)

    def verdict(self, entry: Entry) -> Verdict:
        """Compare what is there with what was there before."""
        if entry.fingerprint == AGAIN:
            return Verdict.NOT_DONE
        if entry.fingerprint is None:
            return Verdict.UNKNOWN
        before: dict[str, str] = json.loads(entry.fingerprint)
        pairs = [(look, self._look(target)) for target, look in before.items()]
        # What is neither there before nor now says nothing: DROP TABLE IF EXISTS a, b.
        same = {look == now for look, now in pairs if (look, now) != (_NONE, _NONE)}
        if len(same) > 1:
            return Verdict.UNKNOWN  # of several tables, some are changed
        return Verdict.DONE if same == {False} else Verdict.NOT_DONE

    def prepare(self, text: str) -> None:
        """Nothing."""

    def always_commits(self, text: str) -> bool:
        """Tell whether nothing of the transaction is left open after a statement."""
        found = self._parts(text)
        return bool(found) and sqltext.first_word(found[-1]) in _COMMITTING

    def left_out(self, entry: Entry) -> None:
        """Have LAST_INSERT_ID() give what it gave."""
        if entry.last_id:
            self._driver.rows("SELECT LAST_INSERT_ID(?)", entry.last_id)

    def _parts(self, text: str) -> list[str]:
        text = sqltext.without_literals(text, self._syntax)
        return [text] if _WITH_BODY.match(text) else sqltext.parts(text)

    def _look(self, target: str) -> str | None:
        try:
            rows = self._driver.rows(f"SHOW CREATE {target}")
        except self._driver.error as error:
            if error_code(error) in _ABSENT:
                return _NONE
            if self._driver.is_gone(error) or error_code(error) == 1205:
                raise
            return None  # it may not be looked at
        text = "\n".join(str(column) for row in rows for column in row)
        return hashlib.sha256(_COUNTER.sub("", text).encode()).hexdigest()[:16]


def targets_of(text: str) -> list[str]:
    """Return what a statement without literals changes, as SHOW CREATE takes it.

    :returns: nothing where that would not tell whether it ran.
    """
    renamed = _RENAME.match(text)
    if renamed:
        pairs = [(one["old"], one["new"]) for one in _PAIR.finditer(renamed["pairs"])]
        old, new = ({pair[side] for pair in pairs} for side in (0, 1))
        # What is both an old and a new name is another table afterwards, which may look the same.
        return [f"TABLE {name}" for name in sorted(old ^ new)]
    if _INVISIBLE.match(text):
        return []
    for pattern in _TARGETS:
        match = pattern.match(text)
        if match:
            kind = match.groupdict().get("type") or "TABLE"
            return [f"{kind.upper()} {name}" for name in sqltext.names(match["name"])]
    return []


# ---- SQLite ----------------------------------------------------------------------------------


class SQLite:
    """SQLite, where only what runs outside a transaction is permanent."""

    commits_ddl = False
    _REPEATABLE = sqltext.words("VACUUM ANALYZE REINDEX")

    def __init__(self, driver: Driver, journal: str) -> None:
        self._driver = driver
        self._journal = journal

    def kind(self, text: str) -> Kind:
        """Tell what a statement does."""
        return sqltext.kind_of(sqltext.without_literals(text, "sqlite"))

    def commits(self, text: str) -> bool:
        """Tell whether a statement of the session commits."""
        return sqltext.first_word(sqltext.without_literals(text, "sqlite")) in ("COMMIT", "END")

    def fingerprint(self, text: str) -> str | None:
        """Return a hash of the schema."""
        text = sqltext.without_literals(text, "sqlite")
        if sqltext.first_word(text) in self._REPEATABLE:
            return AGAIN
        return self._schema() if sqltext.kind_of(text) is Kind.DDL else None

    def verdict(self, entry: Entry) -> Verdict:
        """Compare the schema with the one before."""
        if entry.fingerprint is None:
            return Verdict.UNKNOWN
        if entry.fingerprint in (AGAIN, self._schema()):
            return Verdict.NOT_DONE
        return Verdict.DONE

    def prepare(self, text: str) -> None:
        """Nothing."""

    def always_commits(self, text: str) -> bool:
        """Tell that none does."""
        return False

    def left_out(self, entry: Entry) -> None:
        """Nothing."""

    def _schema(self) -> str:
        rows = self._driver.rows(
            "SELECT type, name, sql FROM sqlite_master WHERE tbl_name <> ? ORDER BY type, name",
            self._journal,
        )
        return hashlib.sha256(repr(rows).encode()).hexdigest()[:16]
