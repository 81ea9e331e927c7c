"""Import the modules that define models, so that their tables are in the metadata."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import traceback
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from .errors import ConfigError


def import_models(patterns: Iterable[str]) -> list[str]:
    """Import the modules named by ``Migrate(models=...)``.

    :param patterns: module names; ``auth.*`` stands for every module of the package auth, and
        ``shop.*.models`` for the models module of each package in shop.
    :returns: the names of the modules that were imported.
    :raises ConfigError: a module does not exist or does not import.
    """
    names = [name for pattern in patterns for name in _expand(pattern)]
    for name in names:
        _import(name)
    return names


def _expand(pattern: str) -> list[str]:
    if not any(char in pattern for char in "*?["):
        return [pattern]
    parts = pattern.split(".")
    literal = next(index for index, part in enumerate(parts) if any(c in part for c in "*?["))
    if literal == 0:
        raise ConfigError(
            f"Migrate(models=...): {pattern} has to begin with the name of a package.",
            'For example:  Migrate(app, db, models=["exam.models", "auth.*"])',
        )
    root = ".".join(parts[:literal])
    depth = len(parts)
    found = [
        name
        for name in _walk(root, depth)
        if name.count(".") == depth - 1 and fnmatchcase(name, pattern)
    ]
    if not found:
        raise ConfigError(f"Migrate(models=...): no module matches {pattern}.")
    return sorted(found)


def _walk(package: str, depth: int) -> Iterator[str]:
    module = _import(package)
    for info in pkgutil.iter_modules(getattr(module, "__path__", ()), package + "."):
        yield info.name
        if info.ispkg and info.name.count(".") < depth - 1:
            yield from _walk(info.name, depth)


def _import(name: str) -> object:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # A missing module named by the pattern itself; one that a model imports is below.
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            raise ConfigError(f"Migrate(models=...): there is no module {name}.") from error
        raise _broken(name, error) from error
    except Exception as error:
        raise _broken(name, error) from error


def _broken(name: str, error: Exception) -> ConfigError:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{frame.filename}, line {frame.lineno}"
    if isinstance(error, SyntaxError) and error.filename:
        where = f"{error.filename}, line {error.lineno}"
    return ConfigError(
        f"The models module {name} does not import: {type(error).__name__}: {error} ({where})",
        module=name,
    )
