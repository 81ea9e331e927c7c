"""No model was imported: what is said then."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from flask_sakyum_migrate import ConfigError
from flask_sakyum_migrate.autogenerate import refuse_empty


class Db:
    """Holds itself, as the objects of real packages do: only the collector takes it away."""

    def __init__(self, *tables: str) -> None:
        self.metadata = sa.MetaData()
        self.itself = self
        for name in tables:
            sa.Table(name, self.metadata, sa.Column("id", sa.Integer))


@pytest.fixture
def late_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def refused(db: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        refuse_empty(db, [db.metadata], [])
    return caught.value.message


def test_another_object_has_the_tables() -> None:
    other = Db("team")
    assert refused(Db()).startswith("There are two Db() objects.")
    assert other.metadata.tables


@pytest.mark.usefixtures("late_collector")
def test_an_object_that_nobody_holds_is_not_another_one() -> None:
    Db("team")
    assert refused(Db()).startswith("No model is loaded")
