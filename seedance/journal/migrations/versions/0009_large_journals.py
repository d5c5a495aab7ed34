"""Indexes for what took as long as the journal has rows: the earlier row of an order, one with the
same words, how long a task usually takes, and what was spent."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_FINISHED = sa.text("finished IS NOT NULL")
_ALIKE = ["provider", "model", "resolution", "duration", "id"]
_MODEL = ["provider", "model", "id"]


def upgrade() -> None:
    op.create_index("orders_fingerprint", "orders", ["fingerprint"])
    op.create_index("orders_words", "orders", [sa.text("substr(prompt, 1, 80)"), "seed", "model"])
    for name, columns in (("orders_alike", _ALIKE), ("orders_model", _MODEL)):
        op.create_index(name, "orders", columns, sqlite_where=_FINISHED, postgresql_where=_FINISHED)
    for column in ("created", "project"):
        op.drop_index(f"orders_{column}", table_name="orders")
        op.create_index(f"orders_{column}", "orders", [column, "budget_usd"])


def downgrade() -> None:
    for column in ("created", "project"):
        op.drop_index(f"orders_{column}", table_name="orders")
        op.create_index(f"orders_{column}", "orders", [column])
    for name in ("orders_model", "orders_alike", "orders_words", "orders_fingerprint"):
        op.drop_index(name, table_name="orders")
