"""sell from any stock"""

revision = "xx33"
down_revision = "xx22"
branch_labels = None
depends_on = ("stock", "bb22")


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
