"""Read the headers of revision files from their source, without running them.

Three ways, the fastest first; each hands over to the next when a file is not plain enough:

1. one regular expression over the header that Alembic's templates write (some 5 us a file);
2. the syntax tree: the four names are assigned once, at the top level, to literals;
3. running the module, as Alembic does for every file of every command.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import os
import re
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from ..errors import HistoryError

NAMES = ("revision", "down_revision", "branch_labels", "depends_on")


class Header(NamedTuple):
    """What the head of a revision file says.

    :param revision: its id.
    :param down: the ids it stands on; more than one for a merge, none for a base.
    :param labels: branch labels.
    :param depends: ids, partial ids or labels it depends on.
    :param doc: the docstring, stripped.
    :param path: the file.
    """

    revision: str
    down: tuple[str, ...]
    labels: tuple[str, ...]
    depends: tuple[str, ...]
    doc: str
    path: str


_LITERAL = rb"(None|'[^'\\\n]*'|\"[^\"\\\n]*\"|\([^()\\#]*\)|\[[^\[\]\\#]*\])"
_ANNOTATION = rb"(?:[ ]*:[^=\n]*)?"
_NEXT = _ANNOTATION + rb"[ ]*=[ ]*" + _LITERAL + rb"[ \t\r]*"
# Alembic's docstring and imports, then the four names one after the other. Whatever else is
# possible (comments between, other orders, computed values) is left to the syntax tree.
_PLAIN = re.compile(
    rb'\A(?:\xef\xbb\xbf)?"""([^"\\]*(?:"(?!"")[^"\\]*)*)"""[ \t]*\r?\n'
    rb"(?:(?:(?:from|import)[ ][^\n;()\\]*|#[^\n]*|[ \t\r]*)\n)*?"
    rb"revision" + _NEXT + rb"\ndown_revision" + _NEXT + rb"\n"
    rb"branch_labels" + _NEXT + rb"\ndepends_on" + _NEXT + rb"(?:\n|\Z)"
)
# Ways to set a name of the module that its syntax tree does not show.
_HIDDEN = (b"globals", b"vars(", b"exec(", b"setattr(", b"__dict__", b"__doc__")
# Without one of these words, code cannot set the names of the header again.
_SUSPECTS = (b"revision", b"branch_labels", b"depends_on", b"import *", *_HIDDEN)
# Those words where Alembic's and Flask-Migrate's templates have them.
_HARMLESS = (
    b"# revision identifiers, used by Alembic",
    b'globals()["upgrade_%s" % engine_name]()',
    b'globals()["downgrade_%s" % engine_name]()',
)
_NOT_REVISIONS = (".#", "__init__")
_LEGACY_NAME = re.compile(r"([a-f0-9]+)\.py$")


def read_folder(
    locations: Iterable[Path], *, recursive: bool = False, sourceless: bool = False
) -> list[Header]:
    """Read every revision file of the version locations, in the order Alembic lists them.

    :raises HistoryError: a file is not Python or says nothing about its revision.
    """
    headers = []
    for location in dict.fromkeys(path.resolve() for path in locations):
        for path in _files(os.fspath(location), recursive, sourceless):
            try:
                headers.append(read_header(path))
            except IsADirectoryError:
                continue
    return headers


def read_header(path: str) -> Header:
    """Read the header of one revision file.

    :raises HistoryError: the file is not Python, does not run where it has to be run, or says
        nothing about its revision.
    """
    if not path.endswith(".py"):
        return _from_module(path)
    source = _read(path)
    match = _PLAIN.match(source)
    if match is not None and _is_quiet(source, match):
        doc, revision, down, labels, depends = match.groups()
        try:
            (one,) = _strings(revision)
            text = _as_compiled(doc.decode().replace("\r\n", "\n"))
            return Header(one, _strings(down), _strings(labels), _strings(depends), text, path)
        except (ValueError, TypeError, SyntaxError):  # not text, or not a literal
            pass
    return _from_tree(path, source)


def _as_compiled(doc: str) -> str:
    """Return a docstring as ``module.__doc__`` has it.

    From Python 3.13 on that is without indentation and tabs.
    """
    if sys.version_info >= (3, 13) and ("\n " in doc or "\t" in doc):
        doc = inspect.cleandoc(doc)
    return doc.strip()


_READ_ONLY = os.O_RDONLY | getattr(os, "O_BINARY", 0)
_BLOCK = 65536


def _read(path: str) -> bytes:
    # os.read is twice as fast as open().read(), and most of the time of a long history.
    try:
        descriptor = os.open(path, _READ_ONLY)
        try:
            source = part = os.read(descriptor, _BLOCK)
            while len(part) == _BLOCK:
                part = os.read(descriptor, _BLOCK)
                source += part
            return source
        finally:
            os.close(descriptor)
    except IsADirectoryError:
        raise
    except OSError as error:
        raise HistoryError(f"{path} cannot be read: {error.strerror}", path=path) from error


def _is_quiet(source: bytes, match: re.Match[bytes]) -> bool:
    """Tell whether nothing but the header of a file can say what its header is."""
    imports = source[match.end(1) : match.start(2) - len(b"revision = ")]
    return _imports_are_quiet(imports) and _has_none(_SUSPECTS, source, match.end())


@lru_cache(maxsize=64)  # the files of a history mostly begin with the same imports
def _imports_are_quiet(text: bytes) -> bool:
    return _has_none(_SUSPECTS, text, 0)


def _has_none(words: Iterable[bytes], source: bytes, start: int) -> bool:
    """Tell whether none of the words is in the source, but where templates have them."""
    for word in words:
        if source.find(word, start) >= 0:
            known = sum(source.count(one, start) for one in _HARMLESS if word in one)
            if source.count(word, start) > known:
                return False
    return True


def _strings(literal: bytes) -> tuple[str, ...]:
    """Evaluate what the regular expression takes for a literal: None, a string or several."""
    if literal == b"None":
        return ()
    if literal[:1] in b"'\"":
        return (literal[1:-1].decode(),)
    return _as_tuple(ast.literal_eval(literal.decode()))


def _header(path: str, doc: str, revision: Any, down: Any, labels: Any, depends: Any) -> Header:
    if not isinstance(revision, str) or not revision:
        raise ValueError(revision)
    return Header(
        revision,
        _as_tuple(down),
        _as_tuple(labels),
        _as_tuple(depends),
        _as_compiled(doc),
        path,
    )


def _as_tuple(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, tuple | list | set | frozenset):
        raise ValueError(repr(value))
    if not all(isinstance(item, str) for item in value):
        raise ValueError(repr(value))
    return tuple(value)


def _from_tree(path: str, source: bytes) -> Header:
    try:
        tree = ast.parse(source, path)
    except (SyntaxError, ValueError) as error:
        raise _not_python(path, error) from error
    if not _has_none(_HIDDEN, source, 0):
        return _from_module(path)
    found: dict[str, Any] = {}
    for name, value in _assignments(tree):
        if name in found or value is None:
            return _from_module(path)
        try:
            found[name] = ast.literal_eval(value)
        except (ValueError, TypeError, SyntaxError):
            return _from_module(path)
    if "revision" not in found or "down_revision" not in found or _binds_otherwise(tree):
        return _from_module(path)
    values = (found.get(name) for name in NAMES)
    try:
        return _header(path, ast.get_docstring(tree, clean=False) or "", *values)
    except (ValueError, TypeError):
        return _from_module(path)


def _assignments(tree: ast.Module) -> Iterator[tuple[str, ast.expr | None]]:
    """Yield what the top level assigns to the four names; None for what is not a plain value."""
    for node in tree.body:
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets, value = [node.target], node.value
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Name) and target.id in NAMES:
                yield target.id, value
            elif not isinstance(target, ast.Name):
                for inner in ast.walk(target):
                    if isinstance(inner, ast.Name) and inner.id in NAMES:
                        yield inner.id, None


def _binds_otherwise(tree: ast.Module) -> bool:
    """Tell whether anything but a plain top-level assignment could set one of the names."""
    plain = {
        id(target)
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    }
    for node in _top_level(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                if name in NAMES and id(node) not in plain:
                    return True
            case ast.alias(name=name, asname=asname):
                if name == "*" or (asname or name) in NAMES:
                    return True
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                if name in NAMES:
                    return True
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                if name in NAMES:
                    return True
            case ast.Global(names=names):
                if set(names) & set(NAMES):
                    return True
    return False


def _top_level(tree: ast.Module) -> Iterator[ast.AST]:
    """Walk the module; of functions and classes only what can reach the module's names."""
    todo: list[ast.AST] = list(tree.body)
    while todo:
        node = todo.pop()
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            yield from (inner for inner in ast.walk(node) if isinstance(inner, ast.Global))
        else:
            todo.extend(ast.iter_child_nodes(node))


def _from_module(path: str) -> Header:
    module = load_module(path)
    revision = getattr(module, "revision", None)
    if revision is None:
        # Alembic 0.1 kept the id in the file's name only.
        match = _LEGACY_NAME.match(Path(path).name)
        if match is None:
            raise HistoryError(
                f"{path} is not a revision: it sets no `revision`.",
                "Move it out of the versions folder, or give it the header that "
                "`flask db revision` writes.",
                path=path,
            )
        revision = match.group(1)
    if not hasattr(module, "down_revision"):
        raise HistoryError(f"{path} sets no `down_revision`.", path=path)
    try:
        return _header(
            path,
            module.__doc__ or "",
            revision,
            module.down_revision,
            getattr(module, "branch_labels", None),
            getattr(module, "depends_on", None),
        )
    except (ValueError, TypeError) as error:
        raise HistoryError(
            f"{path}: revision, down_revision, branch_labels and depends_on have to be strings, "
            f"tuples of strings or None; one of them is {error}.",
            path=path,
        ) from error


def load_module(path: str) -> ModuleType:
    """Run a revision file and return its module, as Alembic would.

    :raises HistoryError: the file does not run; names the line.
    """
    name = re.sub(r"\W", "_", Path(path).name)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise HistoryError(f"{path} cannot be loaded as Python.", path=path)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        if error.filename == path:
            raise _not_python(path, error) from error
        raise _does_not_run(path, error) from error
    except Exception as error:
        raise _does_not_run(path, error) from error
    return module


def _not_python(path: str, error: Exception) -> HistoryError:
    """Say which file and line is not Python."""
    line = getattr(error, "lineno", None)
    reason = getattr(error, "msg", None) or str(error)
    where = f"{path}, line {line}" if line else path
    return HistoryError(f"{where}: {type(error).__name__}: {reason}", path=path, line=line)


def _does_not_run(path: str, error: Exception) -> HistoryError:
    """Say at which line of a revision file an exception came up."""
    traceback, line = error.__traceback__, None
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == path:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    where = f"{path}, line {line}" if line else path
    return HistoryError(f"{where}: {type(error).__name__}: {error}", path=path, line=line)


def _files(location: str, recursive: bool, sourceless: bool) -> Iterator[str]:
    """List the revision files of a location as Alembic does: sorted, top folder first."""
    try:
        entries = sorted(os.listdir(location))  # noqa: PTH208 - pathlib is four times slower
    except FileNotFoundError:
        return
    except OSError as error:
        raise HistoryError(f"{location} cannot be read: {error.strerror}") from error
    for name in entries:
        if name.startswith(_NOT_REVISIONS):
            continue
        if name.endswith(".py") or (sourceless and _is_compiled(name, entries)):
            yield location + os.sep + name
    if sourceless:
        sources = {name.split(".")[0] for name in entries}
        cache = Path(location, "__pycache__")
        for path in sorted(cache.iterdir()) if cache.is_dir() else ():
            new = path.suffix == ".pyc" and path.name.split(".")[0] not in sources
            if new and not path.name.startswith(_NOT_REVISIONS):
                yield str(path)
    if recursive:
        for name in entries:
            folder = Path(location, name)
            if folder.is_dir() and not name.endswith("__pycache__"):
                yield from _files(str(folder), recursive, sourceless)


def _is_compiled(name: str, entries: Iterable[str]) -> bool:
    """Tell whether a file is compiled and has no source beside it."""
    return name.endswith((".pyc", ".pyo")) and name[:-1] not in entries
