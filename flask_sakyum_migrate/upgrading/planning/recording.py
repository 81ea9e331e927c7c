"""Call the functions of a revision with an ``op`` that notes what is asked for and runs nothing."""

from __future__ import annotations

import io
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa
from alembic.operations import BatchOperations, Operations, ops
from alembic.runtime.migration import MigrationContext

from ...runtime.steps import call_functions
from ..sqltext import Kind, kind_of, parts, strongest, without_literals


@dataclass(frozen=True)
class Noted:
    """What a revision asks for.

    :param operation: one of Alembic; None where the rest cannot be foretold.
    :param key: the bind key of the function it is in.
    :param sql: the text, of what is SQL.
    :param why: why the rest of the function cannot be foretold.
    """

    operation: Any
    key: str
    sql: str = ""
    why: str = ""


class _ReadsError(BaseException):
    """A revision reads rows, which nobody has yet. Not for its own ``except Exception``."""


class Recorder:
    """Notes what the functions of revisions ask for.

    :param url: of the database: its dialect decides how SQL is written.
    :param opts: those of Alembic's context that a revision may depend on.
    """

    def __init__(self, url: sa.URL, opts: Mapping[str, Any]) -> None:
        self._mock = sa.create_mock_engine(url, self._executed)
        self.dialect = self._mock.dialect
        kept = ("target_metadata", "version_table", "version_table_schema", "render_as_batch")
        self._opts = {name: opts[name] for name in kept if opts.get(name) is not None}
        self._found: list[Noted] = []
        self._key = ""
        self._has_connection = False

    def record(
        self, script: Any, verb: str, keys: tuple[str, ...], kwargs: dict[str, Any]
    ) -> list[Noted]:
        """Return what a revision asks for.

        :param script: Alembic's.
        :param verb: ``upgrade`` or ``downgrade``.
        :param keys: the binds whose functions are called.
        :param kwargs: what env.py gives to ``context.run_migrations()``.
        """
        self._found = []
        for self._key in keys:
            self._has_connection = False
            with self._op():
                try:
                    call_functions(script.module, verb, self._key, kwargs)
                except (_ReadsError, Exception) as error:
                    self._found.append(Noted(None, self._key, why=self._why(error, script.path)))
        return self._found

    @contextmanager
    def _op(self) -> Iterator[None]:
        opts = {**self._opts, "as_sql": True, "output_buffer": io.StringIO()}
        context = MigrationContext.configure(dialect=self.dialect, opts=opts)
        context.as_sql = False  # a revision that asks is to do what it does on a database
        context.autocommit_block = nullcontext  # type: ignore[method-assign, assignment]
        with Operations.context(context) as op:
            # The functions of `alembic.op` look these up on the instance.
            op.invoke = self._invoke  # type: ignore[method-assign]
            op.batch_alter_table = self._batch  # type: ignore[method-assign, assignment]
            op.get_bind = self._get_bind  # type: ignore[method-assign]
            op.run_async = self._read  # type: ignore[method-assign]
            self._context = context
            yield

    def _invoke(self, operation: Any) -> Any:
        sql = ""
        if isinstance(operation, ops.ExecuteSQLOp):
            sql = self._text(operation.sqltext)
        self._found.append(Noted(operation, self._key, sql))
        if isinstance(operation, ops.CreateTableOp):
            return operation.to_table(self._context)
        return None

    @contextmanager
    def _batch(
        self, table_name: str, schema: str | None = None, **arguments: Any
    ) -> Iterator[BatchOperations]:
        impl: Any = SimpleNamespace(table_name=table_name, schema=schema)
        batch = BatchOperations(self._context, impl)
        batch.invoke = self._invoke  # type: ignore[method-assign]
        batch.get_bind = self._get_bind  # type: ignore[method-assign]
        yield batch

    def _get_bind(self) -> Any:
        self._has_connection = True
        return self._mock

    def _read(self, *arguments: Any, **more: Any) -> Any:
        raise _ReadsError

    def _executed(self, statement: Any, *arguments: Any, **more: Any) -> None:
        """Note what is executed on the connection, unless its rows are what is wanted."""
        sql = self._text(statement)
        kinds = map(kind_of, parts(without_literals(sql, "sqlite")))
        if strongest(kinds) is Kind.READ:
            raise _ReadsError
        self._found.append(Noted(ops.ExecuteSQLOp(statement), self._key, sql))

    def _text(self, statement: Any) -> str:
        if isinstance(statement, str):
            return " ".join(statement.split())
        try:
            made = statement.compile(dialect=self.dialect, compile_kwargs={"literal_binds": True})
        except (sa.exc.CompileError, NotImplementedError):  # a value that has no literal
            made = statement.compile(dialect=self.dialect)
        return " ".join(str(made).split())

    def _why(self, error: BaseException, path: str) -> str:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == path]
        where = f"line {lines[-1]}" if lines else "it"
        if self._has_connection or isinstance(error, _ReadsError):
            return f"{where} reads the database: what follows cannot be foretold"
        reason = " ".join(str(error).split())
        return f"{where} raises {type(error).__name__}: {reason}"
