"""Models that exist in the source and were never imported, found by reading, not by importing."""

from __future__ import annotations

import ast
import gc
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import ConfigError

_SKIPPED = {"venv", "env", "node_modules", "site-packages", "migrations", "tests", "test"}
_MOST_FILES = 2000


@dataclass(frozen=True)
class Definition:
    """A model in the source.

    :param module: the name it would be imported by.
    """

    path: Path
    line: int
    name: str
    module: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line} defines {self.name}"


def refuse_empty(db: Any, metadata: Any, roots: Sequence[Path]) -> None:
    """Refuse to compare a database with no models at all, which would drop every table.

    :param db: what was given to Migrate.
    :param metadata: the MetaData collections of all binds.
    :param roots: the folders of the application.
    :raises ConfigError: there is no table; names the models that nobody imported.
    """
    if any(one.tables for one in metadata):
        return
    others = [
        one for one in _same_kind(db) if one is not db and any(m.tables for m in _collections(one))
    ]
    if others:
        names = ", ".join(sorted(name for m in _collections(others[0]) for name in m.tables)[:3])
        raise ConfigError(
            f"There are two {type(db).__name__}() objects. The one given to Migrate has no "
            f"tables; the other one has: {names}.",
            "Make one, in a module of its own, and import it where the models are and where "
            "Migrate(app, db) is.",
        )
    found = [one for root in roots for one in definitions(root)]
    message = "No model is loaded: db.Model.metadata has 0 tables."
    if not found:
        raise ConfigError(
            message,
            "Define one, import its module in create_app(), and run this again. If every table is "
            "to go:  flask db migrate --allow-drop",
        )
    shown = "; ".join(str(one) for one in found[:3]) + ("; ..." if len(found) > 3 else "")
    modules = ", ".join(f'"{name}"' for name in dict.fromkeys(one.module for one in found[:3]))
    raise ConfigError(
        f"{message} {shown}, and nothing imports it.",
        f"Import it in create_app(), or:  Migrate(app, db, models=[{modules}])",
        definitions=tuple(found),
    )


def definitions(root: Path) -> list[Definition]:
    """Return the models in the modules below a folder that are not imported."""
    loaded = {
        str(Path(file).resolve())
        for module in list(sys.modules.values())
        if (file := getattr(module, "__file__", None))
    }
    found = []
    for path in _modules(root):
        if str(path.resolve()) in loaded:
            continue
        try:
            tree = ast.parse(path.read_bytes())
        except (OSError, SyntaxError, ValueError):
            continue  # whoever imports it is told
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and _is_model(node):
                found.append(Definition(path, node.lineno, node.name, _module_name(path)))
    return found


def _is_model(node: ast.ClassDef) -> bool:
    bases = [ast.unparse(base) for base in node.bases]
    if any(base.endswith(".Model") or base in ("Model", "Base") for base in bases):
        return "__abstract__" not in {
            target.id
            for one in node.body
            if isinstance(one, ast.Assign)
            for target in one.targets
            if isinstance(target, ast.Name)
        }
    return any(
        isinstance(one, ast.Assign)
        and any(isinstance(t, ast.Name) and t.id == "__tablename__" for t in one.targets)
        for one in node.body
    )


def _modules(root: Path) -> Iterator[Path]:
    """Walk the Python files below a folder; virtual environments and the like are left out."""
    count = 0
    folders = [root]
    while folders:
        folder = folders.pop()
        try:
            entries = sorted(folder.iterdir())
        except OSError:
            continue
        for entry in entries:
            if entry.is_dir():
                hidden = entry.name.startswith((".", "__"))
                if not hidden and entry.name not in _SKIPPED and not entry.is_symlink():
                    if not (entry / "pyvenv.cfg").exists():
                        folders.append(entry)
            elif entry.suffix == ".py":
                count += 1
                if count > _MOST_FILES:
                    return
                yield entry


def _module_name(path: Path) -> str:
    """Return the name a file is imported by: from the first folder that is no package."""
    parts = [] if path.name == "__init__.py" else [path.stem]
    folder = path.parent
    while (folder / "__init__.py").exists():
        parts.append(folder.name)
        folder = folder.parent
    return ".".join(reversed(parts))


def _same_kind(db: Any) -> list[Any]:
    """Return every object of the class of ``db`` that belongs to no application."""
    if db is None or not hasattr(db, "metadata"):
        return []
    gc.collect()  # what nobody holds any more is not another one
    objects = gc.get_objects()
    taken = {
        id(used)
        for one in objects
        if any(cls.__name__ == "Flask" for cls in type(one).__mro__)
        for used in getattr(one, "extensions", {}).values()
    }
    return [one for one in objects if type(one) is type(db) and id(one) not in taken]


def _collections(db: Any) -> list[Any]:
    many = getattr(db, "metadatas", None)
    return list(many.values()) if many else [db.metadata]
