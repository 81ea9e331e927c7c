"""call the text of a question text

Revision ID: 7424e11ad747
Revises: 0ac64d8e7a94
Create Date: 2026-11-21 04:24:54.753932

"""

import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision = "7424e11ad747"
down_revision = "0ac64d8e7a94"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A rename: dropping one column and adding another would lose the text of every question.
    with op.batch_alter_table("exam_question", schema=None) as batch_op:
        batch_op.alter_column(
            "name",
            new_column_name="text",
            existing_type=sa.String(length=200),
            existing_nullable=False,
        )


def downgrade() -> None:
    with op.batch_alter_table("exam_question", schema=None) as batch_op:
        batch_op.alter_column(
            "text",
            new_column_name="name",
            existing_type=sa.String(length=200),
            existing_nullable=False,
        )
