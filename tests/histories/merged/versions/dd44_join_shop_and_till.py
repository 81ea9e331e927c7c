"""join shop and till

Revision ID: dd44
"""

revision = "dd44"
down_revision = ("bb22", "cc33")
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
