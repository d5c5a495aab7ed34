"""Proof instead of inference: an identity for each row and for the journal, one row a ticket, and
where and how an order was sent."""

import json
import secrets

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

HELD = "state IN ('preparing', 'submitting', 'running', 'succeeded', 'saved', 'unclear')"
HAS_TICKET = f"ticket IS NOT NULL AND {HELD}"


def upgrade() -> None:
    op.create_table(
        "identity",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("uid", sa.String(32), nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
    connection = op.get_bind()
    connection.execute(
        sa.text("INSERT INTO identity (id, uid, revision) VALUES (1, :uid, 0)"),
        {"uid": secrets.token_hex(16)},
    )
    # As in 0003: SQLite's table is copied, and old versions of SQLAlchemy lose the condition of the
    # partial index on the way.
    op.drop_index("orders_one_held", table_name="orders")
    with op.batch_alter_table("orders") as batch:
        batch.add_column(sa.Column("uid", sa.String(32)))
        batch.add_column(sa.Column("origin", sa.String(300)))
        batch.add_column(sa.Column("mark", sa.String(64)))
        # A provider's id may be long; what was paid must fit.
        batch.alter_column("ticket", type_=sa.Text(), existing_type=sa.String(600))
    op.create_index(
        "orders_one_held",
        "orders",
        ["fingerprint"],
        unique=True,
        sqlite_where=sa.text(HELD),
        postgresql_where=sa.text(HELD),
    )
    for (row_id,) in connection.execute(sa.text("SELECT id FROM orders WHERE uid IS NULL")).all():
        connection.execute(
            sa.text("UPDATE orders SET uid = :uid WHERE id = :id"),
            {"uid": secrets.token_hex(16), "id": row_id},
        )
    _part_shared_tickets(connection)
    op.create_index(
        "orders_one_ticket",
        "orders",
        ["ticket"],
        unique=True,
        sqlite_where=sa.text(HAS_TICKET),
        postgresql_where=sa.text(HAS_TICKET),
    )
    op.create_index("orders_uid", "orders", ["uid"], unique=True)


def _part_shared_tickets(connection: sa.Connection) -> None:
    """Of held rows with one ticket only the oldest keeps it. Another that is under way becomes
    unclear: nobody knows which of them the task was made for."""
    shared = connection.execute(
        sa.text(
            f"SELECT id, state, ticket FROM orders o WHERE {HAS_TICKET} AND EXISTS "
            f"(SELECT 1 FROM orders p WHERE p.ticket = o.ticket AND p.id < o.id AND p.{HELD})"
        )
    ).all()
    for row_id, state, ticket in shared:
        error = {
            "kind": "Unclear",
            "message": f"The provider gave this order the task {ticket}, which another order has.",
            "hint": "Whether it made a second task is not known. Look at the provider's own list "
            f"of tasks. To send the order again: seedance forget {row_id}, then queue it again.",
            "task": None,
            "spent": "unknown",
        }
        changed = "ticket = NULL"
        if state != "saved":
            changed += ", state = 'unclear', error_json = :error, holder = NULL, lease_until = NULL"
        connection.execute(
            sa.text(f"UPDATE orders SET {changed} WHERE id = :id"),
            {"id": row_id} | ({} if state == "saved" else {"error": json.dumps(error)}),
        )


def downgrade() -> None:
    op.drop_index("orders_uid", table_name="orders")
    op.drop_index("orders_one_ticket", table_name="orders")
    with op.batch_alter_table("orders") as batch:
        for name in ("mark", "origin", "uid"):
            batch.drop_column(name)
    op.drop_table("identity")
