"""The journal's tables, as SQLAlchemy sees them. `migrations/` makes and changes them.

A column that is added later is nullable or has a server default, so that an older process can go
on writing beside a newer one.
"""

from __future__ import annotations

import sqlalchemy as sa

from .states import HELD, State

metadata = sa.MetaData()


def _values(states: type[State]) -> list[str]:
    return [state.value for state in states]


orders = sa.Table(
    "orders",
    metadata,
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
    sa.Column(
        "state",
        sa.Enum(
            State,
            name="orders_known_state",
            native_enum=False,
            create_constraint=True,
            length=16,
            values_callable=_values,
        ),
        nullable=False,
    ),
    sa.Column("ticket", sa.Text),
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
    # Random: a database that was restored or replaced gives an `id` a second time, but no `uid`.
    sa.Column("uid", sa.String(32)),
    sa.Column("origin", sa.String(300)),  # of the provider that took the order
    # By which the provider's list shows this order, or its idempotency key.
    sa.Column("mark", sa.String(64)),
    sa.Column("create_json", sa.Text),  # the paid call, until its outcome is known
    # When the provider's list last did not have the task of an unclear order, and how often.
    sa.Column("looked", sa.Float),
    sa.Column("looks", sa.Integer),
    sa.Column("project", sa.String(80)),  # a person's label
    sa.Column("reuses", sa.Integer),  # how often its video was asked for again, and not paid again
    # The order in the queue of a farm that it was made for, which may be delivered twice.
    sa.Column("queued", sa.String(32)),
    sa.Index("orders_asked", "asked"),
    sa.Index("orders_ticket", "ticket"),
    sa.Index("orders_state", "state", "provider", "account"),
    # With what it counts: a budget adds that up without reading the rows.
    sa.Index("orders_created", "created", "budget_usd"),
    sa.Index("orders_project", "project", "budget_usd"),
    sa.Index("orders_fingerprint", "fingerprint"),
    sa.Index("orders_queued", "queued"),
)
# The beginning of a prompt, by which orders with the same words are found.
words = sa.func.substr(orders.c.prompt, sa.literal_column("1"), sa.literal_column("80"))
sa.Index("orders_words", words, orders.c.seed, orders.c.model)
_finished = orders.c.finished.is_not(None)
for _name, _last in (("orders_alike", ("resolution", "duration", "id")), ("orders_model", ("id",))):
    sa.Index(
        _name,
        *(orders.c[column] for column in ("provider", "model", *_last)),
        sqlite_where=_finished,
        postgresql_where=_finished,
    )
# Literal values, not bound ones: SQLite uses the index below only for a query that contains the
# same condition as text.
is_held = orders.c.state.in_([sa.literal_column(f"'{state.value}'") for state in HELD])
sa.Index(
    "orders_one_held",
    orders.c.fingerprint,
    unique=True,
    sqlite_where=is_held,
    postgresql_where=is_held,
)

has_ticket = orders.c.ticket.is_not(None)
sa.Index(
    "orders_one_ticket",
    orders.c.ticket,
    unique=True,
    sqlite_where=sa.and_(has_ticket, is_held),
    postgresql_where=sa.and_(has_ticket, is_held),
)
sa.Index("orders_uid", orders.c.uid, unique=True)

# One row: which journal this is, and how often it was written. A process that remembers both
# notices a journal that was replaced, or that went back to an earlier copy.
identity = sa.Table(
    "identity",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("uid", sa.String(32), nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
)

uploads = sa.Table(
    "uploads",
    metadata,
    sa.Column("provider", sa.String(32), primary_key=True),
    sa.Column("account", sa.String(16), primary_key=True),
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("reference", sa.Text, nullable=False),
    sa.Column("expires_at", sa.Float, nullable=False),
)

# Which order uses which object in the user's own bucket. An object that no order uses is deleted.
hosted = sa.Table(
    "hosted",
    metadata,
    sa.Column("order_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("account", sa.String(16), primary_key=True),
    sa.Column("name", sa.String(1024), primary_key=True),
)

# The group that a name has in a provider's asset library.
asset_groups = sa.Table(
    "asset_groups",
    metadata,
    sa.Column("provider", sa.String(32), primary_key=True),
    sa.Column("account", sa.String(16), primary_key=True),
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("person", sa.Boolean, nullable=False),
    sa.Column("group_id", sa.Text, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
)

# What a library has of ours. The same bytes under the same name are one asset.
assets = sa.Table(
    "assets",
    metadata,
    sa.Column("provider", sa.String(32), primary_key=True),
    sa.Column("account", sa.String(16), primary_key=True),
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("person", sa.Boolean, nullable=False),
    sa.Column("group_id", sa.Text, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("asset_id", sa.Text),
    sa.Column("problem", sa.Text, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("updated", sa.Float, nullable=False),
)


def is_row(row_id: int, uid: str | None) -> sa.ColumnElement[bool]:
    """The condition that a row has a number and, if that is known, an identity."""
    number = orders.c.id == row_id
    return number if uid is None else sa.and_(number, sa.func.coalesce(orders.c.uid, "") == uid)
