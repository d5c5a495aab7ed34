"""Objects in the user's own bucket, and the orders that use them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "hosted",
        sa.Column("order_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("account", sa.String(16), primary_key=True),
        sa.Column("name", sa.String(1024), primary_key=True),
    )


def downgrade() -> None:
    op.drop_table("hosted")
