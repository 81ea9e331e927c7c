"""open the shop

Revision ID: bb22
"""

revision = "bb22"
down_revision = "aa11"
branch_labels = ("shop",)
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
