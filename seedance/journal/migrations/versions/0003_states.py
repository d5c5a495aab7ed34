"""The database refuses a state that does not exist."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

STATES = (
    "preparing",
    "submitting",
    "running",
    "succeeded",
    "saved",
    "refused",
    "failed",
    "cancelled",
    "expired",
    "unclear",
)
CHECK = f"state IN ({', '.join(repr(state) for state in STATES)})"


HELD = "state IN ('preparing', 'submitting', 'running', 'succeeded', 'saved', 'unclear')"


def upgrade() -> None:
    # SQLite cannot add a CHECK to a table, so alembic copies it with its rows and indexes. Old
    # versions of SQLAlchemy lose the condition of the partial index on the way.
    op.drop_index("orders_one_held", table_name="orders")
    with op.batch_alter_table("orders") as batch:
        batch.create_check_constraint("orders_known_state", sa.text(CHECK))
    op.create_index(
        "orders_one_held",
        "orders",
        ["fingerprint"],
        unique=True,
        sqlite_where=sa.text(HELD),
        postgresql_where=sa.text(HELD),
    )


def downgrade() -> None:
    with op.batch_alter_table("orders") as batch:
        batch.drop_constraint("orders_known_state", type_="check")
