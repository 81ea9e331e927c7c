"""Tables that are there before the first revision made them: ``db.create_all()`` did."""

from __future__ import annotations

from ..runtime.guards import Guard, Running


class CreatedByHand(Guard):
    """Says what a person can do about a database that has the tables and no version."""

    def hint(self, running: Running, error: Exception) -> str:
        """Point to ``flask db baseline`` when the first step finds its table there."""
        first = running.verb == "upgrade" and running.number == 1 and not self.target.visit.before
        if not first or "already exists" not in str(getattr(error, "orig", "")):
            return ""
        return (
            "The database has this table and no version: db.create_all() made it. Adopt the "
            "database once with:  flask db baseline"
        )
