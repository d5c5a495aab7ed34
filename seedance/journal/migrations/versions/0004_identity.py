"""Proof instead of inference: an identity for each row and for the journal, one row a ticket, and
where and how an order was sent."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

HELD = (
    "ticket IS NOT NULL AND state IN "
    "('preparing', 'submitting', 'running', 'succeeded', 'saved', 'unclear')"
)


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
    with op.batch_alter_table("orders") as batch:
        batch.add_column(sa.Column("uid", sa.String(32)))
        batch.add_column(sa.Column("origin", sa.String(300)))
        batch.add_column(sa.Column("mark", sa.String(64)))
        # A provider's id may be long; what was paid must fit.
        batch.alter_column("ticket", type_=sa.Text(), existing_type=sa.String(600))
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
        sqlite_where=sa.text(HELD),
        postgresql_where=sa.text(HELD),
    )
    op.create_index("orders_uid", "orders", ["uid"], unique=True)


def _part_shared_tickets(connection: sa.Connection) -> None:
    """Of held rows with one ticket only the oldest keeps it. Another that is under way becomes
    unclear: nobody knows which of them the task was made for."""
    shared = connection.execute(
        sa.text(
            "SELECT id, state FROM orders o WHERE ticket IS NOT NULL AND state IN "
            "('preparing', 'submitting', 'running', 'succeeded', 'saved', 'unclear') AND EXISTS "
            "(SELECT 1 FROM orders p WHERE p.ticket = o.ticket AND p.id < o.id AND p.state IN "
            "('preparing', 'submitting', 'running', 'succeeded', 'saved', 'unclear'))"
        )
    ).all()
    for row_id, state in shared:
        state = state if state in ("saved", "unclear") else "unclear"
        connection.execute(
            sa.text(
                "UPDATE orders SET ticket = NULL, state = :state, holder = NULL, "
                "lease_until = NULL WHERE id = :id"
            ),
            {"state": state, "id": row_id},
        )


def downgrade() -> None:
    op.drop_index("orders_uid", "orders")
    op.drop_index("orders_one_ticket", "orders")
    with op.batch_alter_table("orders") as batch:
        for name in ("mark", "origin", "uid"):
            batch.drop_column(name)
    op.drop_table("identity")
