"""sell from the stock"""

revision = "xx22"
down_revision = "xx11"
branch_labels = None
depends_on = "bb22"


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
