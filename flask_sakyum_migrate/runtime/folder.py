"""The migrations folder: where it is and what its alembic.ini says, read without Alembic."""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigError
from .known import EnvKind, recognise

SECTION = "alembic"
_SEPARATORS = {"space": " ", "newline": "\n", "os": os.pathsep, ":": ":", ";": ";"}


@dataclass(frozen=True)
class Folder:
    """A migrations folder that exists.

    :param path: the folder.
    :param env: what its env.py is: ours, a known stock copy, or somebody's own.
    :param locations: where the revision files are.
    :param recursive: whether they are also in the folders below.
    :param sourceless: whether compiled files count (``sourceless = true``).
    """

    path: Path
    env: EnvKind
    locations: tuple[Path, ...]
    recursive: bool = False
    sourceless: bool = False

    @property
    def ini(self) -> Path:
        """Its alembic.ini; it may be missing."""
        return self.path / "alembic.ini"


def find(directory: str | os.PathLike[str], beside: Iterable[Path] = ()) -> Path:
    """Find the migrations folder of an application.

    :param directory: as configured; a relative one is looked for from the working directory, as
        Flask-Migrate does, then in the folders of ``beside``.
    :param beside: the application's own folder and the one above.
    :raises ConfigError: it is nowhere, or it has no env.py.
    """
    wanted = Path(directory)
    roots = [Path.cwd(), *beside] if not wanted.is_absolute() else [Path()]
    tried = list(dict.fromkeys((root / wanted).absolute() for root in roots))
    for path in tried:
        if (path / "env.py").is_file():
            return path
    existing = [path for path in tried if path.is_dir()]
    if existing:
        raise ConfigError(
            f"{existing[0]} is not a migrations folder: it has no env.py.",
            "Make one under another name:  flask db -d NAME init",
            paths=tuple(existing),
        )
    places = "\n".join(f"  {path}" for path in tried)
    raise ConfigError(
        f"There is no migrations folder {wanted}. Looked for:\n{places}",
        "Make it:  flask db init"
        if str(wanted) == "migrations"
        else f"Make it:  flask db -d {wanted} init",
        paths=tuple(tried),
    )


def read(path: Path, option: Callable[[str], str | None] | None = None) -> Folder:
    """Read a migrations folder.

    :param option: gives one option of the ini file; by default alembic.ini itself is read. Given
        when callbacks changed the configuration.
    :raises ConfigError: env.py or alembic.ini cannot be read.
    """
    try:
        env = recognise((path / "env.py").read_text("utf-8", errors="replace"))
    except OSError as error:
        raise ConfigError(f"{path / 'env.py'} cannot be read: {error.strerror}") from error
    option = option or _ini_reader(path / "alembic.ini")
    return Folder(
        path,
        env,
        _locations(path, option),
        recursive=option("recursive_version_locations") == "true",
        sourceless=option("sourceless") == "true",
    )


def _ini_reader(ini: Path) -> Callable[[str], str | None]:
    parser = configparser.ConfigParser({"here": ini.absolute().parent.as_posix()})
    try:
        parser.read(ini, encoding="utf-8")
    except (configparser.Error, OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{ini} cannot be read: {error}") from error

    def option(name: str) -> str | None:
        try:
            return parser.get(SECTION, name, fallback=None)
        except configparser.Error as error:
            raise ConfigError(f"{ini}: {name}: {error}") from error

    return option


def _locations(path: Path, option: Callable[[str], str | None]) -> tuple[Path, ...]:
    text = option("version_locations")
    if not text:
        return (path / "versions",)
    name = option("path_separator") or option("version_path_separator")
    if name is not None and name not in _SEPARATORS:
        raise ConfigError(
            f"{path / 'alembic.ini'}: path_separator = {name} is not one of "
            f"{', '.join(_SEPARATORS)}."
        )
    # Without a separator Alembic falls back to splitting at spaces and commas.
    parts: Sequence[str] = text.split(_SEPARATORS[name]) if name else re.split(r", *| +", text)
    return tuple(_location(part.strip()) for part in parts if part.strip())


def _location(name: str) -> Path:
    """Resolve a version location; ``package:folder`` is inside an installed package."""
    package, colon, inside = name.partition(":")
    if not colon or Path(name).is_absolute():
        return Path(name).absolute()
    from importlib import resources

    try:
        return Path(str(resources.files(package).joinpath(*inside.split(":")))).absolute()
    except ModuleNotFoundError as error:
        raise ConfigError(f"version_locations: there is no package {package} ({name}).") from error
