"""Make a migrations folder from a template."""

from __future__ import annotations

import shutil
from pathlib import Path

from alembic.util import template_to_file

from .errors import ConfigError
from .runtime.known import TEMPLATES
from .runtime.known import without_model as rewrite

DEFAULT_TEMPLATE = "flask"
# One layout serves one database and several; Flask-Migrate's name for the other one stays.
_SAME = {None: DEFAULT_TEMPLATE, "flask-multidb": DEFAULT_TEMPLATE}


def create_folder(
    directory: Path,
    template: str | None = None,
    *,
    package: bool = False,
    without_model: bool = False,
) -> Path:
    """Make the folder; all of it or nothing.

    :param without_model: the application's ``db`` has no ``Model``.
    :raises ConfigError: it is there and not empty, the template is unknown, or it cannot be
        written.
    """
    existed = directory.exists()
    if existed and (not directory.is_dir() or any(directory.iterdir())):
        raise ConfigError(
            f"{directory.absolute()} is there already and not empty.",
            "Give the new folder another name:  flask db -d NAME init",
            path=directory,
        )
    source = find_template(template)
    try:
        versions = directory / "versions"
        versions.mkdir(parents=True)
        for file in sorted(source.iterdir()):
            if file.is_file():
                _copy(file, directory)
        env = directory / "env.py"
        if without_model and source.parent == TEMPLATES:
            env.write_text(rewrite(env.read_text("utf-8")), "utf-8")
        if package:
            (directory / "__init__.py").touch()
            (versions / "__init__.py").touch()
    except OSError as error:
        if not existed:
            shutil.rmtree(directory, ignore_errors=True)
        raise ConfigError(
            f"{error.filename or directory} cannot be written: {error.strerror}.",
            "May this user write to the folder?",
            path=directory,
        ) from error
    return directory.absolute()


def _copy(file: Path, directory: Path) -> None:
    """Copy one file of a template; ``alembic.ini.mako`` is filled in, as Alembic does."""
    if file.name == "alembic.ini.mako":
        target = directory / "alembic.ini"
        template_to_file(file, target, "utf-8", script_location="%(here)s")
    elif file.name != "pyproject.toml.mako":  # that one is for a folder without an alembic.ini
        shutil.copyfile(file, directory / file.name)


def find_template(template: str | None) -> Path:
    """Return the folder of a template.

    :param template: a name, or a path with at least one slash.
    :raises ConfigError: it is not there.
    """
    if template is not None and ("/" in template or "\\" in template):
        path = Path(template).absolute()
    else:
        path = TEMPLATES / _SAME.get(template, template or DEFAULT_TEMPLATE)
    if not (path / "env.py").is_file():
        raise ConfigError(
            f"There is no template {template}.",
            "Those there are:  flask db list-templates   (or the path of a folder: -t ./mine)",
        )
    return path


def list_templates() -> list[tuple[str, str]]:
    """Return the templates of this package: name and one line about it."""
    return [
        (path.name, (path / "README").read_text("utf-8").splitlines()[0])
        for path in sorted(TEMPLATES.iterdir())
        if (path / "README").is_file()
    ]
