"""``flask db`` before the application is loaded: says why when it cannot be.

Flask looks at commands of installed packages first and at the application's own after. This one
loads the application and hands over to its own ``db`` command, whoever registered it.
"""

from __future__ import annotations

import gc
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from flask import Flask, current_app
from flask.cli import NoAppException, ScriptInfo

from ..errors import ConfigError


class Entry(click.Command):
    """Stands for the ``db`` command of an application that is not loaded yet."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Load the application and make the context of its own command."""
        context = parent or click.Context(self, info_name=info_name)
        with _few_collections(context):
            app = _load(context, wants_traceback="--traceback" in args)
        if not current_app or current_app._get_current_object() is not app:  # type: ignore[attr-defined]
            context.with_resource(app.app_context())
        command = app.cli.get_command(context, info_name or "db")
        if command is None:
            _no_command(context, app)
        assert command is not None
        return command.make_context(info_name, args, parent, **extra)


@contextmanager
def _few_collections(context: click.Context) -> Iterator[None]:
    """Spare this process of one command most of the garbage collector's work.

    What the application's modules made stays until the end, and looking through it again and
    again, the last time at exit, is up to a third of a command's time.
    """
    thresholds = gc.get_threshold()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.freeze()
        gc.set_threshold(20_000, 20, 50)
        context.call_on_close(lambda: gc.set_threshold(*thresholds))


def _load(context: click.Context, *, wants_traceback: bool) -> Flask:
    try:
        return context.ensure_object(ScriptInfo).load_app()
    except NoAppException as error:
        cause = error.__cause__ or error.__context__
        if not isinstance(cause, ImportError) or "While importing" not in str(error):
            raise
        _fail(context, cause, wants_traceback)
    except Exception as error:
        _fail(context, error, wants_traceback)
    raise AssertionError  # both ways above leave


def _fail(context: click.Context, error: BaseException, wants_traceback: bool) -> None:
    if wants_traceback:
        click.echo("".join(traceback.format_exception(error)), err=True)
    library = str(Path(os.__file__).parent)  # installed packages are below it as well
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "site-packages" not in frame.filename and not frame.filename.startswith(("<", library))
    ]
    where = f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else ""
    if isinstance(error, SyntaxError) and error.filename:
        where = f"{error.filename}, line {error.lineno}"
    reason = " ".join(str(getattr(error, "orig", None) or error).split())
    click.echo(f"Error: The application does not load: {type(error).__name__}: {reason}", err=True)
    if where:
        click.echo(f"  {where}", err=True)
    click.echo(_hint(error), err=True)
    context.exit(1)


def _hint(error: BaseException) -> str:
    orig = getattr(error, "orig", None)
    if orig is not None:
        return (
            "It asks the database for something while it is being created, before there are "
            "tables. Move that into a request or a command."
        )
    if isinstance(error, ModuleNotFoundError) and error.name:
        return ConfigError.for_missing_module(error).hint
    return "The whole story:  flask db --traceback"


def _no_command(context: click.Context, app: Flask) -> None:
    state = app.extensions.get("migrate")
    named = getattr(getattr(state, "migrate", None), "command", None)
    if named:
        text = f"The migrations of this application are under another name:  flask {named}"
    else:
        text = (
            f"Error: The application {app.name} has no `db` command.\n"
            "Add to it:  migrate = Migrate(app, db)   (or, in create_app(): "
            "migrate.init_app(app, db))"
        )
    click.echo(text, err=True)
    context.exit(1)


db = Entry("db", help="Migrate the databases of the application.")
