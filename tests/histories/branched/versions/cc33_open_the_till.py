"""open the till

Revision ID: cc33
"""

revision = "cc33"
down_revision = "aa11"
branch_labels = ("till",)
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
