"""The tables of the exam."""

from __future__ import annotations

from sqlalchemy import ForeignKey, String, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..extensions import db


class ExamQuestionModel(db.Model):
    """What is asked."""

    __tablename__ = "exam_question"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(String(200))
    choices: Mapped[list[ExamChoiceModel]] = relationship(
        back_populates="question", cascade="all, delete-orphan", order_by="ExamChoiceModel.id"
    )


class ExamChoiceModel(db.Model):
    """One of the answers to choose from."""

    __tablename__ = "exam_choice"

    id: Mapped[int] = mapped_column(primary_key=True)
    question_id: Mapped[int] = mapped_column(ForeignKey("exam_question.id", ondelete="CASCADE"))
    text: Mapped[str] = mapped_column(String(200))
    is_correct: Mapped[bool] = mapped_column(default=False, server_default=false())
    question: Mapped[ExamQuestionModel] = relationship(back_populates="choices")
