"""Blinker signals around a run; the sender is the application.

    from flask_sakyum_migrate.signals import after_upgrade

    @after_upgrade.connect_via(app)
    def tell_the_team(app, result): ...

They are sent where the functions registered with `Migrate` are called, after those.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from blinker import NamedSignal, Namespace

from .hooks import Hook, Hooks

_signals = Namespace()

before_upgrade = _signals.signal("migrate-before-upgrade")
"""Sent for each database that has something to do, before its first step, with ``visit``."""

after_upgrade = _signals.signal("migrate-after-upgrade")
"""Sent when something was applied, with ``result``."""

before_step = _signals.signal("migrate-before-step")
"""Sent inside the transaction of a step, before its functions, with ``step, connection``."""

after_step = _signals.signal("migrate-after-step")
"""Sent when the version table has a step, inside its transaction, with ``step, connection``."""

_SENT = {
    "before_upgrade": (before_upgrade, ("visit",)),
    "after_upgrade": (after_upgrade, ("result",)),
    "before_step": (before_step, ("step", "connection")),
    "after_step": (after_step, ("step", "connection")),
}


def sending(app: Any, hooks: Hooks) -> Hooks:
    """Return the hooks of an application, with its signals sent after them."""
    found = Hooks(**{one.name: getattr(hooks, one.name) for one in fields(Hooks)})
    for moment, (signal, names) in _SENT.items():
        found.add(moment, _sender(app, signal, names))
    return found


def _sender(app: Any, signal: NamedSignal, names: tuple[str, ...]) -> Hook:
    def receivers(*arguments: Any) -> None:
        signal.send(app, **dict(zip(names, arguments, strict=True)))

    return receivers
