"""What a revision file may lose, from a look at its code: nothing is run.

It looks at the functions of one direction and at those of the file that they call. What cannot be
told from the code counts as a loss.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..binds import DEFAULT, Bind
from .sqltext import Kind, first_word, kind_of, parts, unquoted, without_literals

_EXECUTES = frozenset({"execute", "exec_driver_sql", "executemany", "executescript", "scalar"})
_KNOWN = frozenset({"alembic", "sqlalchemy", *sys.stdlib_module_names})
_INSERT_CHANGES = re.compile(r"\bOR\s+REPLACE\b|\bDO\s+UPDATE\b", re.I)
_ALTER_ADDS = re.compile(r"^ALTER\s+TABLE\b.*?\b(ADD|RENAME)\b(?!.*\bDROP\b)", re.I | re.S)
_DROPS = re.compile(r"^DROP\s+(\w+)\s+(?:IF\s+EXISTS\s+)?(\S+)", re.I)
_CHANGES = frozenset({"update", "delete", "on_conflict_do_update", "prefix_with"})
_UNKNOWN = "runs SQL that may change rows"


def first_loss(path: str | Path, verb: str, keys: Sequence[str] = (DEFAULT,)) -> str:
    """Return what the first thing is that a revision may lose, such as ``drops the table user``.

    :param path: the revision file.
    :param verb: ``upgrade`` or ``downgrade``.
    :param keys: the binds whose functions are run.
    :returns: nothing when it loses nothing.
    """
    try:
        tree = ast.parse(Path(path).read_bytes())
    except (SyntaxError, ValueError):  # a compiled file
        return "is compiled, so it cannot be told what it does"
    return next(_Look(tree).losses(verb, keys), "")


class _Look:
    """Looks at one file."""

    def __init__(self, tree: ast.Module) -> None:
        self._functions = {one.name: one for one in tree.body if isinstance(one, ast.FunctionDef)}
        self._texts: dict[str, ast.expr] = {}
        self._foreign: set[str] = set()
        self._tables: dict[str, str] = {}
        self._connections: set[str] = set()
        for node in ast.walk(tree):
            self._note(node)

    def _note(self, node: ast.AST) -> None:
        """Remember what names stand for, wherever they are given."""
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                module = getattr(node, "module", None) or alias.name
                inside = isinstance(node, ast.ImportFrom) and node.level > 0
                if inside or module.partition(".")[0] not in _KNOWN:
                    self._foreign.add((alias.asname or alias.name).partition(".")[0])
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            self._texts[node.targets[0].id] = node.value
            if _called(node.value) == "get_bind":
                self._connections.add(node.targets[0].id)
        elif isinstance(node, ast.withitem) and isinstance(node.optional_vars, ast.Name):
            if _called(node.context_expr) == "batch_alter_table":
                assert isinstance(node.context_expr, ast.Call)
                self._tables[node.optional_vars.id] = _text(_argument(node.context_expr, 0))

    def losses(self, verb: str, keys: Sequence[str]) -> Iterator[str]:
        """Give what is lost, in the order of the code."""
        seen: set[str] = set()
        waiting = [name for key in keys for name in self._run_for(verb, key)]
        while waiting:
            name = waiting.pop(0)
            if name in seen or name not in self._functions:
                continue
            seen.add(name)
            for statement in self._functions[name].body:
                yield from self._in(statement)
                found = (one for one in ast.walk(statement) if isinstance(one, ast.Name))
                waiting += [one.id for one in found if one.id in self._functions]

    def _run_for(self, verb: str, key: str) -> list[str]:
        """Return the functions that are called for a bind; see ``runtime.steps``."""
        main = self._functions.get(verb)
        if main is not None and (main.args.args or main.args.kwonlyargs or main.args.kwarg):
            return [verb, f"{verb}_{'' if key == DEFAULT else key}"]
        return [verb + Bind(key, None).suffix]  # type: ignore[arg-type]

    def _in(self, node: ast.AST, *, argument: bool = False) -> Iterator[str]:
        """Give what is lost in a piece of code.

        :param argument: it is one of a call of Alembic's or SQLAlchemy's.
        """
        if isinstance(node, ast.Call):
            loss = self._of_call(node, argument=argument)
            if loss:
                yield loss
            argument = argument or not self._is_foreign(node)
        for child in ast.iter_child_nodes(node):
            yield from self._in(child, argument=argument)

    def _is_foreign(self, call: ast.Call) -> bool:
        return _root(call.func) in self._foreign

    def _of_call(self, call: ast.Call, *, argument: bool) -> str:
        name = _called(call)
        if name == "drop_table":
            return f"drops the table {_text(_argument(call, 0))}"
        if name in ("drop_column", "alter_column"):
            column = self._column(call)
            if name == "drop_column":
                return f"drops the column {column}"
            return f"changes the type of {column}" if _keyword(call, "type_") else ""
        if name == "drop_all":
            return "drops tables"
        if name in _EXECUTES and isinstance(call.func, ast.Attribute):
            return self._of_sql(_argument(call, 0), call.lineno)
        given = [*call.args, *(one.value for one in call.keywords)]
        if name != "inspect" and any(self._is_connection(one) for one in given):
            return f"works on the connection in a way that cannot be told (line {call.lineno})"
        # A type or a default of somebody's own is no more than that where it is an argument.
        if self._is_foreign(call) and not argument:
            return f"calls {ast.unparse(call.func)}(), which may change rows"
        return ""

    def _column(self, call: ast.Call) -> str:
        table = self._tables.get(_root(call.func))
        if table is not None:
            return f"{table}.{_text(_argument(call, 0, 'column_name'))}"
        return f"{_text(_argument(call, 0))}.{_text(_argument(call, 1, 'column_name'))}"

    def _is_connection(self, node: ast.expr) -> bool:
        return _called(node) == "get_bind" or (
            isinstance(node, ast.Name) and node.id in self._connections
        )

    def _of_sql(self, node: ast.expr | None, line: int) -> str:
        text = self._sql(node)
        if text is not None:
            found = [
                loss for one in parts(without_literals(text, "sqlite")) if (loss := loss_of(one))
            ]
            return found[0] if found else ""
        # sa.insert(table).values(...), table.insert(), sa.select(...): what it begins with.
        if isinstance(node, ast.Name):
            node = self._texts.get(node.id, node)
        names = _names(node)
        harmless = bool(names & {"insert", "select"}) and not names & _CHANGES
        return "" if harmless else f"{_UNKNOWN} (line {line})"

    def _sql(self, node: ast.expr | None) -> str | None:
        """Return the text of a statement, as far as it stands in the file."""
        if isinstance(node, ast.Constant):
            return str(node.value)
        if isinstance(node, ast.JoinedStr):
            return "".join(
                str(one.value) if isinstance(one, ast.Constant) else "x" for one in node.values
            )
        if isinstance(node, ast.BinOp):
            return self._sql(node.left)
        if isinstance(node, ast.Name) and node.id in self._texts:
            value = self._texts.pop(node.id)  # a name that stands for itself would never end
            try:
                return self._sql(value)
            finally:
                self._texts[node.id] = value
        if _called(node) in ("text", "dedent") and isinstance(node, ast.Call):
            return self._sql(_argument(node, 0))
        if _called(node) == "format" and isinstance(node, ast.Call):
            return self._sql(node.func.value) if isinstance(node.func, ast.Attribute) else None
        return None


def loss_of(statement: str) -> str:
    """Return what one statement, without literals, loses; nothing when it loses nothing."""
    word, kind = first_word(statement), kind_of(statement)
    if kind in (Kind.READ, Kind.SESSION) or word in ("CREATE", "ANALYZE", "REINDEX", "VACUUM"):
        return ""
    if word == "INSERT":
        return _UNKNOWN if _INSERT_CHANGES.search(statement) else ""
    if word in ("UPDATE", "DELETE"):
        table = re.match(r"\w+\s+(?:FROM\s+|OR\s+\w+\s+)?(\S+)", statement, re.I)
        what = "changes" if word == "UPDATE" else "deletes"
        return f"{what} rows of {unquoted(table[1]) if table else 'a table'}"
    if _ALTER_ADDS.search(statement):
        return ""
    drop = _DROPS.match(statement)
    if drop is not None and drop[1].upper() != "TABLE":
        return ""
    return f"drops the table {unquoted(drop[2])}" if drop is not None else _UNKNOWN


def _called(node: ast.AST | None) -> str:
    """Return the last name of what is called: ``drop_table`` of ``op.drop_table("user")``."""
    if not isinstance(node, ast.Call):
        return ""
    function = node.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _names(node: ast.AST | None) -> set[str]:
    """Return the names along a chain of calls: ``sa insert`` of ``sa.insert(table)``."""
    found = set()
    while isinstance(node, ast.Attribute | ast.Call):
        if isinstance(node, ast.Attribute):
            found.add(node.attr)
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return found | ({node.id} if isinstance(node, ast.Name) else set())


def _root(node: ast.AST) -> str:
    """Return the first name of what is called: ``op`` of ``op.drop_table``."""
    while isinstance(node, ast.Attribute | ast.Call):
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return node.id if isinstance(node, ast.Name) else ""


def _keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((one.value for one in call.keywords if one.arg == name), None)


def _argument(call: ast.Call, place: int, name: str = "table_name") -> ast.expr | None:
    return call.args[place] if len(call.args) > place else _keyword(call, name)


def _text(node: ast.expr | None) -> str:
    """Return a name as it stands in the code."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if _called(node) == "f" and isinstance(node, ast.Call):
        return _text(_argument(node, 0))
    return ast.unparse(node) if node is not None else "?"
