"""What a statement is, from its text: a read, a change of rows, a change of tables."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable

NAME = r'(?:`(?:[^`]|``)+`|"(?:[^"]|"")+"|[\w$]+)'
QUALIFIED = rf"{NAME}(?:\s*\.\s*{NAME})?"

_STANDARD = r"'(?:[^']|'')*'"
_BACKSLASHES = r"'(?:[^'\\]|\\.|'')*'"
_STRINGS = r'"(?:[^"\\]|\\.|"")*"'
_NAMES = r'`(?:[^`]|``)*`|"(?:[^"]|"")*"'
_COMMENTS = r"/\*(?!M?!).*?\*/|--[^\n]*"
_PATTERNS = {
    "mysql": re.compile(rf"({_BACKSLASHES}|{_STRINGS})|({_NAMES})|{_COMMENTS}|#[^\n]*", re.S),
    "mysql ansi": re.compile(rf"({_BACKSLASHES})|({_NAMES})|{_COMMENTS}|#[^\n]*", re.S),
    "postgresql": re.compile(rf"({_STANDARD}|(\$\w*\$).*?\2)|({_NAMES})|{_COMMENTS}", re.S),
    "sqlite": re.compile(rf"({_STANDARD})|({_NAMES})|{_COMMENTS}", re.S),
}
_PART = re.compile(rf"(?:{_NAMES}|[^;])+")
_QUOTED = re.compile(NAME)
# What stands in /*! */ is executed by MySQL.
_WORD = re.compile(r"(?:[\s(]|/\*M?!\d*)*(\w+)")
_WRITES = re.compile(r"\b(INSERT|UPDATE|DELETE|MERGE|REPLACE)\b", re.I)
_LOCKING = re.compile(r"\bFOR\s+(NO\s+KEY\s+)?UPDATE\b", re.I)


class Kind(enum.Enum):
    """What a statement does."""

    READ = "read"
    """It gives rows and changes nothing."""
    SESSION = "session"
    """It sets up the session or ends a transaction: done again by each run."""
    DML = "dml"
    """It changes rows."""
    DDL = "ddl"
    """It changes tables and the like."""


def words(text: str) -> frozenset[str]:
    """Return the words of a text as a set."""
    return frozenset(text.split())


READS = words("SELECT SHOW EXPLAIN DESCRIBE DESC VALUES TABLE HELP FETCH")
SESSION = words(
    "SET RESET USE BEGIN START COMMIT END ABORT ROLLBACK SAVEPOINT RELEASE LOCK UNLOCK DECLARE "
    "CLOSE PREPARE DEALLOCATE DISCARD LISTEN UNLISTEN NOTIFY PRAGMA ATTACH DETACH XA"
)
DML = words("INSERT UPDATE DELETE REPLACE MERGE COPY DO")


def without_literals(text: str, syntax: str, *, literals: bool = False) -> str:
    """Return a statement without its comments, and with empty strings in place of its literals.

    :param syntax: ``mysql``, ``mysql ansi`` where double quotes are for names, ``postgresql`` or
        ``sqlite``.
    :param literals: leave the literals as they are.
    """

    def kept(match: re.Match[str]) -> str:
        if match[1] is not None:
            return match[0] if literals else "''"
        return match[0] if match[0][0] in ("`", '"') else " "

    return _PATTERNS[syntax].sub(kept, text).strip()


def parts(text: str) -> list[str]:
    """Split a text without literals into its statements; mostly there is one."""
    return [one for one in map(str.strip, _PART.findall(text)) if one]


def first_word(text: str) -> str:
    """Return the word a statement begins with, in capitals."""
    match = _WORD.match(text)
    return match[1].upper() if match else ""


def kind_of(text: str) -> Kind:
    """Tell what one statement, without literals, does."""
    word = first_word(text)
    if word == "WITH":
        return Kind.DML if _WRITES.search(_LOCKING.sub("", text)) else Kind.READ
    if word in READS:
        return Kind.READ
    if word in SESSION:
        return Kind.SESSION
    return Kind.DML if word in DML else Kind.DDL


def strongest(kinds: Iterable[Kind]) -> Kind:
    """Return what several statements in one text do together."""
    found = set(kinds)
    order = (Kind.DDL, Kind.DML, Kind.SESSION)
    return next((kind for kind in order if kind in found), Kind.READ)


def unquoted(name: str, *, folds: bool = False) -> str:
    """Return a name as the database has it.

    :param folds: one without quotes is in small letters.
    """
    quote = name[:1]
    if quote in ("`", '"'):
        return name[1:-1].replace(quote * 2, quote)
    return name.lower() if folds else name


def names(text: str) -> list[str]:
    """Split ``a, b.c`` into names."""
    return [one for one in (part.strip() for part in text.split(",")) if _QUOTED.match(one)]
