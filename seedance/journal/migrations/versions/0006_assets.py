"""Assets that providers' libraries have of ours, and the group of each name."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "asset_groups",
        sa.Column("provider", sa.String(32), primary_key=True),
        sa.Column("account", sa.String(16), primary_key=True),
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("person", sa.Boolean, nullable=False),
        sa.Column("group_id", sa.Text, nullable=False),
        sa.Column("created", sa.Float, nullable=False),
    )
    op.create_table(
        "assets",
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


def downgrade() -> None:
    op.drop_table("assets")
    op.drop_table("asset_groups")
