"""What a column was for the application that is only a text in the database.

An enum without a type of its own and a UUID are kept as texts, and their models are gone. The
revision files still say what they were.
"""

from __future__ import annotations

import ast
import re
import uuid
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeEngine

from .values import Value

_SAID = re.compile(
    r"""(?:create_table|batch_alter_table|add_column)\(\s*(['"])(?P<table>.+?)\1
    |Column\(\s*(['"])(?P<column>.+?)\3,\s*(?:\w+\.)*(?P<type>\w+)\(
     (?P<arguments>(?:[^()'"]|'[^']*'|"[^"]*")*)\)""",
    re.VERBOSE,
)


def readable(table: str, column: str, type_: TypeEngine[Any], history: str) -> Value | None:
    """Return a value that the application can read, where a file says more than the database.

    :param type_: that of the database.
    :param history: the text of the revision files.
    :returns: the first label of an enum, or a UUID of zeros; None where no file says so.
    """
    found, there = None, ""
    for said in _SAID.finditer(history):
        there = said["table"] or there
        if said["column"] == column and there == table:
            found = said
    if found is None:
        return None
    if found["type"] == "Enum":
        labels = _texts(found["arguments"])
        return Value(labels[0]) if labels else None
    return Value(_nil(type_)) if found["type"] in ("Uuid", "UUID", "UUIDType") else None


def _texts(arguments: str) -> list[str]:
    """Return the texts that a call has as arguments without a name."""
    try:
        call: Any = ast.parse(f"f({arguments})", mode="eval").body
    except SyntaxError:  # a quote in a label
        return []
    values = [one.value for one in call.args if isinstance(one, ast.Constant)]
    return [one for one in values if isinstance(one, str)]


def _nil(type_: TypeEngine[Any]) -> Any:
    """Return a UUID of zeros as a column of this type holds it."""
    nil = uuid.UUID(int=0)
    if isinstance(type_, sa.LargeBinary):
        return nil.bytes
    if isinstance(type_, sa.String):
        return str(nil) if (type_.length or 32) >= 36 else nil.hex
    return nil
