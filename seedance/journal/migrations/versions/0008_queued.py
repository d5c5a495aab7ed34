"""The order in the queue of a farm that a row was made for."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("orders", sa.Column("queued", sa.String(32)))
    op.create_index("orders_queued", "orders", ["queued"])


def downgrade() -> None:
    op.drop_index("orders_queued", table_name="orders")
    op.drop_column("orders", "queued")
