"""Read a revision file before it is written: it compiles, and what it names is there."""

from __future__ import annotations

import ast
import builtins
import importlib
import symtable
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from ...errors import ConfigError

_OF_MODULES = {"__file__", "__name__", "__doc__", "__package__", "__spec__", "__loader__"}


def proofread(text: str, name: str) -> None:
    """Refuse the text of a revision file that would not run.

    :param name: what the file would be called.
    :raises ConfigError: it does not compile, it imports a module that is not there, or it uses
        a name that nothing defines.
    """
    try:
        tree = ast.parse(text, name)
        compile(tree, name, "exec")
        table = symtable.symtable(text, name, "exec")
    except SyntaxError as error:
        line = (error.text or "").strip()
        raise _unusable(name, error.lineno or 0, f"{error.msg}: {line}", _WRITTEN_OTHERWISE) from (
            error
        )
    modules = _import(tree, name)
    _look_up_names(tree, table, name)
    _look_up_attributes(tree, modules, name)


_WRITTEN_OTHERWISE = (
    "Alembic writes a type or a default as its repr(). Write it yourself:  "
    "Migrate(app, db, render_item=...)"
)
_IMPORTED = "Import it in script.py.mako of the migrations folder."


def _import(tree: ast.Module, name: str) -> dict[str, ModuleType]:
    """Import what the file imports; return the modules by the names it has for them."""
    modules: dict[str, ModuleType] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                module = _module(one.name, node, name)
                root = one.name.partition(".")[0]
                modules[one.asname or root] = (
                    module if one.asname else importlib.import_module(root)
                )
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            module = _module(node.module, node, name)
            for one in node.names:
                if one.name == "*":
                    continue
                found = _member(module, one.name)
                if found is None:
                    reason = f"{node.module} has no {one.name}"
                    raise _unusable(name, node.lineno, reason, _IMPORTED)
                if isinstance(found, ModuleType):
                    modules[one.asname or one.name] = found
    return modules


def _module(wanted: str, node: ast.stmt, name: str) -> ModuleType:
    try:
        return importlib.import_module(wanted)
    except ImportError as error:
        hint = f"Is it installed here?  pip install {wanted.partition('.')[0]}"
        raise _unusable(name, node.lineno, str(error), hint) from error


def _member(module: ModuleType, wanted: str) -> Any:
    if not hasattr(module, wanted):
        try:
            return importlib.import_module(f"{module.__name__}.{wanted}")
        except ImportError:
            return None
    return getattr(module, wanted)


def _look_up_names(tree: ast.Module, table: symtable.SymbolTable, name: str) -> None:
    if any(
        isinstance(node, ast.ImportFrom) and node.names[0].name == "*" for node in ast.walk(tree)
    ):
        return  # what that brings is not known
    here = {
        one.get_name()
        for one in table.get_symbols()
        if one.is_assigned() or one.is_imported() or one.is_namespace()
    }
    for wanted in _used(table):
        if wanted not in here and wanted not in _OF_MODULES and not hasattr(builtins, wanted):
            line = min(
                node.lineno
                for node in ast.walk(tree)
                if isinstance(node, ast.Name) and node.id == wanted
            )
            raise _unusable(name, line, f"nothing defines {wanted}", _IMPORTED)


def _used(table: symtable.SymbolTable) -> Iterator[str]:
    """Give the names that are looked up in the module."""
    for one in table.get_symbols():
        if one.is_referenced() and (one.is_global() or table.get_type() == "module"):
            yield one.get_name()
    for child in table.get_children():
        yield from _used(child)


def _look_up_attributes(tree: ast.Module, modules: dict[str, ModuleType], name: str) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = _module_of(node.value, modules)
            if owner is not None and _member(owner, node.attr) is None:
                if hasattr(owner, node.attr):
                    continue  # it is None
                words = f"{owner.__name__} has no {node.attr}"
                raise _unusable(name, node.lineno, words, _WRITTEN_OTHERWISE)


def _module_of(node: ast.expr, modules: dict[str, ModuleType]) -> ModuleType | None:
    """Return the module that an expression such as ``sa`` or ``a.b`` is, if it is one."""
    if isinstance(node, ast.Name):
        return modules.get(node.id)
    if isinstance(node, ast.Attribute):
        owner = _module_of(node.value, modules)
        found = _member(owner, node.attr) if owner is not None else None
        return found if isinstance(found, ModuleType) else None
    return None


def _unusable(name: str, line: int, reason: str, hint: str) -> ConfigError:
    return ConfigError(
        f"{name} would not run, so it was not written. Line {line}: {reason}.", hint, line=line
    )
