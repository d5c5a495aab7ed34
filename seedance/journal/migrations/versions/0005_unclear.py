"""What helps to find out what became of an unclear order: the paid call as it was sent, and how
often the provider's list did not have its task."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

COLUMNS = (("create_json", sa.Text), ("looked", sa.Float), ("looks", sa.Integer))


def upgrade() -> None:
    for name, kind in COLUMNS:
        op.add_column("orders", sa.Column(name, kind()))


def downgrade() -> None:
    for name, _ in reversed(COLUMNS):
        op.drop_column("orders", name)
