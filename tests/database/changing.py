"""Two states of the models of one application, on one folder and one database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from tests.conftest import Project, ProjectMaker

Models = Callable[[Any], object]


class Story:
    """One project whose models change.

    :param make: the fixture ``make_project``.
    :param url: of its database.
    """

    def __init__(self, make: ProjectMaker, url: str, **options: Any) -> None:
        self._make = make
        self._url = url
        self._options = options
        self._count = 0
        self._directory: Path | None = None

    def with_models(self, models: Models) -> Project:
        """Return the project when its models are these."""
        self._count += 1
        more = {} if self._directory is None else {"directory": self._directory}
        project = self._make(
            self._url, models=models, folder=f"state{self._count}", **more, **self._options
        )
        if self._directory is None:
            self._directory = project.path / "migrations"
        return project

    def upgraded(self, models: Models, *args: str) -> Project:
        """Return the project when its models are these, and the database as well.

        :param args: for ``flask db migrate``.
        """
        project = self.with_models(models)
        ran(project, "migrate", *args)
        ran(project, "upgrade")
        return project

    @property
    def newest(self) -> str:
        """The text of the newest revision file."""
        assert self._directory is not None
        files = list((self._directory / "versions").glob("*.py"))
        return max(files, key=lambda path: path.stat().st_mtime_ns).read_text()


def ran(project: Project, *args: str) -> Any:
    """Run a command that is to end well; return its result."""
    result = project.flask(*args)
    assert result.exit_code == 0, result.output
    return result


def settled(project: Project) -> None:
    """Assert that there is nothing to migrate, and that both commands say so."""
    check = project.flask("check")
    assert check.exit_code == 0, check.output
    assert "No changes in schema detected." in ran(project, "migrate").stderr


def up_down_up(project: Project) -> None:
    """Go one revision back and forth; the models are met again."""
    ran(project, "downgrade")
    ran(project, "upgrade")
    settled(project)


def rows(project: Project, statement: str) -> list[tuple[Any, ...]]:
    """Execute a statement; return the rows it gives."""
    with project.engine().begin() as connection:
        result = connection.exec_driver_sql(statement)
        return [tuple(row) for row in result] if result.returns_rows else []


def table(db: Any, name: str, *items: Any, **options: Any) -> sa.Table:
    """Define a table with an ``id``."""
    found: sa.Table = db.Table(
        name, sa.Column("id", sa.Integer, primary_key=True), *items, **options
    )
    return found
