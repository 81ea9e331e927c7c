"""How types and defaults are written into a revision file: so that it runs anywhere, later too.

A revision file is run for years, on more than one kind of database, and where the classes it was
made from are gone. What the application defines is written as what it stands for, what a package
defines with its import, and a default so that each database understands it.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from alembic.autogenerate import render_op_text
from alembic.autogenerate.api import AutogenContext
from alembic.ddl.impl import DefaultImpl
from alembic.operations import ops
from sqlalchemy.sql.elements import conv
from sqlalchemy.types import TypeDecorator, TypeEngine, UserDefinedType

from ..differences.bysql import as_read, colons
from ..types.underlying import variant_of

Rendered = str | Literal[False]
"""Code; False leaves it to Alembic."""

# Databases a type may have a form of its own for.
_DIALECTS = ("postgresql", "mysql", "mariadb", "sqlite")
_SAME_EVERYWHERE = ("now", "current_timestamp", "current_date", "current_time")


def render_item(kind: str, item: Any, context: AutogenContext) -> Rendered:
    """Write an item of a revision, where Alembic's way would not run: its ``render_item``."""
    if kind == "type":
        return _type(item, context)
    if kind == "server_default":
        return _server_default(item, context)
    if kind == "check":
        return _check(item, context)
    return False


def render_type(type_: TypeEngine[Any], context: AutogenContext) -> str:
    """Return the code of a type, with the imports noted, as it would stand in a revision."""
    text = render_op_text(context, ops.AlterColumnOp("t", "c", modify_type=type_))
    return text.partition("type_=")[2].removesuffix(")")


def render_expression(value: sa.ClauseElement, context: AutogenContext) -> str:
    """Return the code of an SQL expression."""
    prefix = _prefix(context)
    if isinstance(value, sa.True_ | sa.False_):
        return f"{prefix}{'true' if isinstance(value, sa.True_) else 'false'}()"
    name = getattr(value, "name", None)
    if (
        isinstance(value, sa.FunctionElement)
        and name in _SAME_EVERYWHERE
        and not len(value.clauses)
    ):
        return f"{prefix}func.{name}()"
    return f"{prefix}text({_sql(value, context)!r})"


# ---- types --------------------------------------------------------------------------------------


def _type(type_: TypeEngine[Any], context: AutogenContext) -> Rendered:
    module = type(type_).__module__
    of_dialect = re.match(r"sqlalchemy\.dialects\.(\w+)", module)
    if of_dialect and of_dialect[1] != _name(context):
        return _of_other(type_, of_dialect[1], context)
    if of_dialect and type(type_).__name__ == "DOMAIN":
        return _domain(type_, context)
    if module.partition(".")[0] == "sqlalchemy" or context.opts.get("user_module_prefix"):
        return False
    if context.migration_context.impl.render_type(type_, context):
        return False  # the dialect's own package knows how
    if _is_installed(module):
        text = f"{module}.{type_!r}"
        if getattr(type_, "spatial_index", False) and _name(context) == "postgresql":
            # GeoAlchemy2 would make the index with the table, and the file makes it as well.
            text = f"{text.removesuffix(')')}, spatial_index=False)"
        if _means_the_same(text, type_, context):
            context.imports.add(f"import {module}")
            return text
    return _stand_in(type_, context)


def _name(context: AutogenContext) -> str:
    return context.migration_context.dialect.name


def _domain(type_: Any, context: AutogenContext) -> str:
    """Write a domain by its name: what it is stands in the statement that makes it."""
    context.imports.add("from sqlalchemy.dialects import postgresql")
    below = render_type(type_.data_type, context)
    schema = f", schema={str(type_.schema)!r}" if type_.schema else ""
    return f"postgresql.DOMAIN({str(type_.name)!r}, {below}{schema}, create_type=False)"


def _of_other(type_: TypeEngine[Any], dialect: str, context: AutogenContext) -> Rendered:
    """Write a type of another database, as Alembic does it where that is the one in use."""
    impl = DefaultImpl.get_by_dialect(_dialect(dialect))
    text = impl(_dialect(dialect), None, True, None, None, {}).render_type(type_, context)
    if text:
        context.imports.add(f"from sqlalchemy.dialects import {dialect}")
    return text


def _stand_in(type_: TypeEngine[Any], context: AutogenContext) -> str:
    """Return the code of what a type of the application is in the database, in each of them."""
    base = _base(type_)
    here = context.migration_context.dialect
    if base is None:
        return _spelled_out(str(type_.compile(dialect=here)), context)
    forms: dict[str, list[str]] = {render_type(base, context): []}
    for dialect in _dialects(here):
        ddl = _ddl(type_, dialect)
        same = ddl is None or ddl == _ddl(base, dialect)
        form = next(iter(forms)) if same else _form(type_, dialect, str(ddl), context)
        forms.setdefault(form, []).append(dialect.name)
    usual = max(forms, key=lambda form: len(forms.get(form, ())))
    return usual + "".join(
        f".with_variant({form}, {', '.join(repr(name) for name in names)})"
        for form, names in forms.items()
        if names and form != usual
    )


def _base(type_: TypeEngine[Any]) -> TypeEngine[Any] | None:
    """Return the type of SQLAlchemy or of a package that one of the application is made of."""
    if isinstance(type_, TypeDecorator):
        return type_.impl_instance
    for cls in type(type_).__mro__:
        if cls in (TypeEngine, UserDefinedType):
            return None
        if issubclass(cls, TypeEngine) and _is_installed(cls.__module__):
            return type_.adapt(cls)
    return None


def _form(type_: TypeEngine[Any], dialect: sa.Dialect, ddl: str, context: AutogenContext) -> str:
    """Return the code of what a type is on one database."""
    own = variant_of(type_, dialect)
    if own is None and isinstance(type_, TypeDecorator):
        own = type_.type_engine(dialect)
    for one in _as_public(own) if own is not None else ():
        if _ddl(one, dialect) == ddl:
            return render_type(one, context)
    return _spelled_out(ddl, context)


def _as_public(type_: TypeEngine[Any]) -> Iterator[TypeEngine[Any]]:
    """Give a type in the classes that can be imported; dialects have some of their own beside."""
    for cls in type(type_).__mro__:
        name = re.sub(
            r"^(sqlalchemy(?!\.dialects)|sqlalchemy\.dialects\.\w+)\..*", r"\1", cls.__module__
        )
        if issubclass(cls, TypeEngine) and (
            not name.startswith("sqlalchemy") or hasattr(sys.modules.get(name), cls.__name__)
        ):
            yield type_ if cls is type(type_) else type_.adapt(cls)


def _spelled_out(ddl: str, context: AutogenContext) -> str:
    return (
        f"type('Type', ({_prefix(context)}types.UserDefinedType,), "
        f"{{'cache_ok': True, 'get_col_spec': lambda self, **kw: {ddl!r}}})()"
    )


def _means_the_same(text: str, type_: TypeEngine[Any], context: AutogenContext) -> bool:
    """Tell whether the code of a type of a package gives that type again.

    Not every package writes types as the code that makes them.
    """
    root = type(type_).__module__.partition(".")[0]
    dialect = context.migration_context.dialect
    try:
        # As the revision does it later: a call of the class, with nothing else in reach.
        again = eval(text, {root: sys.modules[root]})  # noqa: S307
    except Exception:
        return False  # it is written as what it stands for instead
    return _ddl(again, dialect) == _ddl(type_, dialect)


def _ddl(type_: TypeEngine[Any], dialect: sa.Dialect) -> str | None:
    """Return what CREATE TABLE says of a type; None where it is not made for the database."""
    try:
        return str(type_.compile(dialect=dialect))
    except Exception:  # code of the application, asked about a database it may not know
        return None


def _dialects(here: sa.Dialect) -> Iterator[sa.Dialect]:
    yield from (_dialect(name) for name in _DIALECTS if name != here.name)
    yield here


@functools.cache
def _dialect(name: str) -> sa.Dialect:
    return sa.make_url(f"{name}://").get_dialect()()


def _is_installed(module: str) -> bool:
    """Tell whether a module belongs to a package that was installed."""
    if module.partition(".")[0] == "sqlalchemy":
        return True
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    return bool({"site-packages", "dist-packages"} & set(Path(file).parts))


# ---- defaults and checks ------------------------------------------------------------------------


def _server_default(default: Any, context: AutogenContext) -> Rendered:
    if isinstance(default, sa.Computed):
        text = repr(_sql(default.sqltext, context, is_default=False))
        stored = "" if default.persisted is None else f", persisted={default.persisted}"
        return f"{_prefix(context)}Computed({text}{stored})"
    if type(default) is sa.FetchedValue:
        return ""  # something in the database gives it: there is nothing to write
    if not isinstance(default, sa.DefaultClause):
        return False
    if isinstance(default.arg, str):
        return repr(default.arg)  # Alembic takes quotes off its ends, which are part of it
    return render_expression(default.arg, context)


def _check(check: sa.CheckConstraint, context: AutogenContext) -> Rendered:
    """Write the condition so that it is read as it was written; what types bring is not here."""
    if not isinstance(check.sqltext, sa.TextClause) or check.dialect_kwargs:
        return False
    name = repr(str(check.name)) if isinstance(check.name, str) else ""
    if isinstance(check.name, conv):
        name = f"{context.opts['alembic_module_prefix'] or ''}f({name})"
    text = repr(_sql(check.sqltext, context, is_default=False))
    return f"{_prefix(context)}CheckConstraint({text}{f', name={name}' if name else ''})"


def _sql(value: sa.ClauseElement, context: AutogenContext, *, is_default: bool = True) -> str:
    """Return an SQL expression as it has to stand in ``text()``."""
    impl = context.migration_context.impl
    text = impl.render_ddl_sql_expr(as_read(value), is_server_default=is_default)
    if impl.dialect.paramstyle in ("format", "pyformat"):
        text = text.replace("%%", "%")  # which is doubled for the driver, when it is run
    return colons(text)


def _prefix(context: AutogenContext) -> str:
    return context.opts["sqlalchemy_module_prefix"] or ""
