"""Models that cannot be compared: what SQLAlchemy says of them, in words that name the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from ...errors import ConfigError
from . import long_names

_IMPORTED = "Is the model imported?  Migrate(app, db, models=[...])"


def refuse_unmapped(db: Any) -> None:
    """Refuse models whose mappers do not hold together; their tables may be wrong or missing.

    :param db: what was given to Migrate.
    :raises ConfigError: says which class it is, as SQLAlchemy does.
    """
    registry = getattr(getattr(db, "Model", None), "registry", None)
    if registry is None:
        return
    try:
        registry.configure(cascade=True)
    except (sa.exc.InvalidRequestError, sa.exc.ArgumentError) as error:
        text = str(error).partition(". Original exception was: ")
        message = text[2] or text[0]
        hint = _IMPORTED if "failed to locate a name" in message else ""
        raise ConfigError(f"The models do not map. {message}", hint) from error


@contextmanager
def in_words(metadata: Sequence[sa.MetaData], dialect: sa.Dialect) -> Iterator[None]:
    """Say in words what SQLAlchemy refuses while models are compared.

    :raises ConfigError: a foreign key refers to what no model has.
    :raises RefusedError: a name is too long for the database.
    """
    try:
        yield
    except sa.exc.NoReferenceError as error:
        raise _lost_reference(metadata, error) from error
    except sa.exc.IdentifierError:
        long_names.refuse_in(metadata, dialect)
        raise


def _lost_reference(metadata: Sequence[sa.MetaData], error: sa.exc.NoReferenceError) -> ConfigError:
    tables = {name: table for one in metadata for name, table in one.tables.items()}
    for table in tables.values():
        for key in sorted(table.foreign_keys, key=lambda it: it.parent.name):
            target, _, column = key.target_fullname.rpartition(".")
            if target in tables and column in tables[target].c:
                continue
            missing = f"column {column}" if target in tables else f"table {target}"
            whose = f"{target} has no" if target in tables else "no model has a"
            return ConfigError(
                f"{table.fullname}.{key.parent.name} refers to {target}.{column}, and {whose} "
                f"{missing}.",
                _IMPORTED if target not in tables else "Mend the ForeignKey in the model.",
            )
    return ConfigError(f"{error}.", _IMPORTED)
