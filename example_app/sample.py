"""A command that adds a few questions, so that the page has something to show."""

from __future__ import annotations

import click
from flask.cli import with_appcontext
from sqlalchemy import func, select

from .exam.models import ExamChoiceModel, ExamQuestionModel
from .extensions import db

# The first choice is the right one.
QUESTIONS = {
    "What is the capital of Tanzania?": ("Dodoma", "Dar es Salaam", "Arusha"),
    "How many legs does a spider have?": ("8", "6", "10"),
    "Which gas do plants take in from the air?": ("Carbon dioxide", "Oxygen", "Nitrogen"),
}


@click.command()
@with_appcontext
def add_sample() -> None:
    """Add sample questions, unless there are questions."""
    count = db.session.scalar(select(func.count()).select_from(ExamQuestionModel))
    if count:
        click.echo(f"There are questions already: {count}.")
        return
    for text, (right, *wrong) in QUESTIONS.items():
        choices = [ExamChoiceModel(text=right, is_correct=True)]
        choices += [ExamChoiceModel(text=other) for other in wrong]
        db.session.add(ExamQuestionModel(text=text, choices=choices))
    if "audit" in db.engines:
        from .audit.models import AuditModel

        db.session.add(AuditModel(action=f"Added {len(QUESTIONS)} sample questions"))
    db.session.commit()
    click.echo(f"Added {len(QUESTIONS)} questions.")
