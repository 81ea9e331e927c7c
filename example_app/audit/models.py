"""The tables of the bind ``audit``; imported only where that bind is configured."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import DateTime, String, func
from sqlalchemy.orm import Mapped, mapped_column

from ..extensions import db


class AuditModel(db.Model):
    """One thing that was done."""

    __bind_key__ = "audit"
    __tablename__ = "audit_entry"

    id: Mapped[int] = mapped_column(primary_key=True)
    action: Mapped[str] = mapped_column(String(200))
    done_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
