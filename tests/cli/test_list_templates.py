"""``flask db list-templates``."""

from __future__ import annotations

from tests.conftest import Project, ProjectMaker


def test_each_template_has_a_line(project: Project) -> None:
    result = project.flask("list-templates")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        "flask - One folder for one database or several, with an env.py that has nothing to edit.\n"
    )


def test_it_needs_no_folder(make_project: ProjectMaker, url: str) -> None:
    assert make_project(url, init=False).flask("list-templates").exit_code == 0
