"""The first schema: orders and uploads."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

HELD = "state IN ('preparing', 'submitting', 'running', 'succeeded', 'saved', 'unclear')"


def upgrade() -> None:
    op.create_table(
        "orders",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("asked", sa.String(64), nullable=False),
        sa.Column("provider", sa.String(32), nullable=False),
        sa.Column("account", sa.String(16), nullable=False),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("resolution", sa.String(16), nullable=False),
        sa.Column("duration", sa.Integer, nullable=False),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("order_json", sa.Text, nullable=False),
        sa.Column("changes_json", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("ticket", sa.String(600)),
        sa.Column("target", sa.Text),
        sa.Column("file", sa.Text),
        sa.Column("result_json", sa.Text),
        sa.Column("error_json", sa.Text),
        sa.Column("cost_amount", sa.Float),
        sa.Column("cost_currency", sa.String(16)),
        sa.Column("cost_estimated", sa.Boolean),
        sa.Column("budget_usd", sa.Float),
        sa.Column("holder", sa.String(160)),
        sa.Column("lease_until", sa.Float),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("updated", sa.Float, nullable=False),
        sa.Column("submitted", sa.Float),
        sa.Column("finished", sa.Float),
    )
    op.create_index("orders_asked", "orders", ["asked"])
    op.create_index("orders_ticket", "orders", ["ticket"])
    op.create_index("orders_state", "orders", ["state", "provider", "account"])
    op.create_index("orders_created", "orders", ["created"])
    op.create_index(
        "orders_one_held",
        "orders",
        ["fingerprint"],
        unique=True,
        sqlite_where=sa.text(HELD),
        postgresql_where=sa.text(HELD),
    )
    op.create_table(
        "uploads",
        sa.Column("provider", sa.String(32), primary_key=True),
        sa.Column("account", sa.String(16), primary_key=True),
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("uploads")
    op.drop_table("orders")
