"""create users

Revision ID: aa11
Revises:
Create Date: 2024-01-01 10:00:00
"""

revision = "aa11"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
