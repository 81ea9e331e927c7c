"""The tables of a database as metadata, to compare another database with."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext


def reflected(
    engine: sa.Engine, schemas: Collection[str | None], leave_out: Collection[str]
) -> sa.MetaData:
    """Return what is in a database, in the form in which models are compared with one.

    :param schemas: beside the default one; those that are not there are left out.
    :param leave_out: names of tables that do not count.
    """
    made = sa.MetaData()
    with engine.connect() as connection:
        # The numbers that PostgreSQL draws for a serial column are not a default to Alembic.
        reflect = MigrationContext.configure(connection).impl.autogen_column_reflect
        sa.event.listen(made, "column_reflect", reflect)
        there = set(sa.inspect(connection).get_schema_names())
        for schema in [None, *sorted(one for one in schemas if one in there)]:
            made.reflect(connection, schema=schema, only=lambda name, _: name not in leave_out)
    return made
