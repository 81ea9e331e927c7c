"""What several of the tests on databases begin with."""

from __future__ import annotations

import pytest

from tests.conftest import ProjectMaker
from tests.database.tables import Tables


@pytest.fixture
def tables(make_project: ProjectMaker, url: str) -> Tables:
    """A project on SQLite whose tables are made by hand."""
    return Tables(make_project(url))
