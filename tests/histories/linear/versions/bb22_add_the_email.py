"""add the email
of a user

Two lines of message, and more below.

    indented

Revision ID: bb22
"""

revision = "bb22"
down_revision = "aa11"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
