"""Triggers: campaigns that are open for whoever moves, and who moved.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from shared.ddl import enable_parent_rls

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "campaign_trigger",
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("segment_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("moves", sa.Text(), nullable=False),
        sa.Column("segments", postgresql.JSONB(), nullable=False),
        sa.Column("opened_at", MOMENT, nullable=False),
        sa.Column("closed", postgresql.TSTZMULTIRANGE(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("entered", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint("moves IN ('enter', 'exit')", name=op.f("ck_campaign_trigger_moves")),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaign.id"], name=op.f("fk_campaign_trigger_campaign_id_campaign")
        ),
        sa.PrimaryKeyConstraint("campaign_id", name=op.f("pk_campaign_trigger")),
    )
    op.create_index(op.f("ix_campaign_trigger_segment_id"), "campaign_trigger", ["segment_id"], unique=False)
    enable_parent_rls("campaign_trigger", "campaign_id", "campaign")
    op.create_table(
        "trigger_entry",
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("moved_at", MOMENT, nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("last_look", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "customer_id", "moved_at", name=op.f("pk_trigger_entry")),
    )
    op.create_index(
        op.f("ix_trigger_entry_campaign_id_due_at"), "trigger_entry", ["campaign_id", "due_at"], unique=False
    )
    enable_parent_rls("trigger_entry", "customer_id", "known_customer")
    op.add_column("segment_member", sa.Column("cause", sa.Text(), nullable=True))
    op.add_column("audience_member", sa.Column("moved_at", MOMENT, nullable=True))
    op.create_index(
        "ix_audience_member_moved",
        "audience_member",
        ["campaign_id", "moved_at", "customer_id"],
        unique=False,
        postgresql_where=sa.text("moved_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_audience_member_moved", table_name="audience_member")
    op.drop_column("audience_member", "moved_at")
    op.drop_column("segment_member", "cause")
    op.drop_table("trigger_entry")
    op.drop_table("campaign_trigger")
