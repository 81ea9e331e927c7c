"""The page of the exam."""

from __future__ import annotations

from flask import Blueprint, render_template
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import selectinload

from ..extensions import db, migrate
from .models import ExamQuestionModel

exam = Blueprint("exam", __name__)


@exam.get("/")
def questions() -> str:
    """Show every question with its choices."""
    query = select(ExamQuestionModel).options(selectinload(ExamQuestionModel.choices))
    found = db.session.scalars(query.order_by(ExamQuestionModel.id)).all()
    return render_template("questions.html", questions=found, pending=[])


@exam.errorhandler(DBAPIError)
def not_upgraded(error: DBAPIError) -> tuple[str, int]:
    """Say which revisions the database lacks, when that is why it could not answer."""
    pending = migrate.repository.pending()
    if not pending:
        raise error
    return render_template("questions.html", questions=[], pending=pending), 503
