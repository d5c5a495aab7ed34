"""The project of an order, and how often it was asked for again without being paid again."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("orders", sa.Column("project", sa.String(80)))
    op.add_column("orders", sa.Column("reuses", sa.Integer()))
    op.create_index("orders_project", "orders", ["project"])


def downgrade() -> None:
    op.drop_index("orders_project", table_name="orders")
    op.drop_column("orders", "reuses")
    op.drop_column("orders", "project")
