"""Journeys: further contacts of a customer in one campaign, and campaigns that drain.

Revision ID: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from shared.ddl import enable_parent_rls

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

# UUIDv8 over the first contact and the step, by the arithmetic of `contact_key`.
_FOLLOW_UP_KEY = """
CREATE FUNCTION follow_up_key(contact_id uuid, step text) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
  encode(set_bit(set_bit(set_bit(set_bit(set_bit(set_bit(
    substring(sha256(convert_to(contact_id::text || '/' || step, 'UTF8')) FROM 1 FOR 16),
    55, 1), 54, 0), 53, 0), 52, 0), 71, 1), 70, 0), 'hex')::uuid
"""
_COVERS = (
    "status NOT IN ('approved', 'scheduled', 'launching', 'running', 'paused', {}'completed')"
    " OR (approved_by IS NOT NULL AND approved_hash IS NOT NULL AND content_hash IS NOT NULL"
    " AND approved_hash = content_hash)"
)


def upgrade() -> None:
    op.execute(_FOLLOW_UP_KEY)
    op.add_column("campaign", sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE campaign SET paused_at = now() WHERE status = 'paused'")
    op.drop_constraint("ck_campaign_approval_covers_content", "campaign")
    op.create_check_constraint(
        op.f("ck_campaign_approval_covers_content"), "campaign", _COVERS.format("'draining', ")
    )
    op.add_column("contact", sa.Column("step", sa.Text(), server_default="first", nullable=False))
    op.drop_constraint("uq_contact_campaign_id_customer_id", "contact")
    op.create_unique_constraint(
        op.f("uq_contact_campaign_id_customer_id_step"), "contact", ["campaign_id", "customer_id", "step"]
    )
    op.add_column("campaign_arm", sa.Column("step", sa.Text(), server_default="first", nullable=False))
    op.add_column("campaign_arm", sa.Column("journey_start", sa.Text(), nullable=True))
    op.drop_constraint("pk_campaign_arm", "campaign_arm")
    op.create_primary_key(op.f("pk_campaign_arm"), "campaign_arm", ["campaign_id", "key", "step"])
    _create_journey_run()
    op.create_table(
        "journey_segment",
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("segment_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaign.id"], name=op.f("fk_journey_segment_campaign_id_campaign")
        ),
        sa.PrimaryKeyConstraint("campaign_id", "key", name=op.f("pk_journey_segment")),
    )
    op.create_index(op.f("ix_journey_segment_segment_id"), "journey_segment", ["segment_id"])


def _create_journey_run() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "journey_run",
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("arm", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("wake_at", moment, nullable=True),
        sa.Column("deadline", moment, nullable=True),
        sa.Column("current_id", sa.Uuid(), nullable=False),
        sa.Column("entered_at", moment, nullable=False),
        sa.Column("ending", sa.Text(), nullable=True),
        sa.Column("path", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.CheckConstraint(
            "state IN ('due', 'waiting', 'contacting', 'ended')", name=op.f("ck_journey_run_state")
        ),
        sa.CheckConstraint("(state = 'ended') = (ending IS NOT NULL)", name=op.f("ck_journey_run_ending")),
        sa.CheckConstraint(
            "(state = 'waiting') = (deadline IS NOT NULL)", name=op.f("ck_journey_run_deadline")
        ),
        sa.CheckConstraint(
            "state NOT IN ('due', 'waiting') OR wake_at IS NOT NULL", name=op.f("ck_journey_run_wake_at")
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contact.id"], name=op.f("fk_journey_run_contact_id_contact")
        ),
        sa.ForeignKeyConstraint(
            ["current_id"], ["contact.id"], name=op.f("fk_journey_run_current_id_contact")
        ),
        sa.PrimaryKeyConstraint("contact_id", name=op.f("pk_journey_run")),
    )
    for name, columns, where in (
        ("ix_journey_run_wake", ["wake_at"], "wake_at IS NOT NULL"),
        ("ix_journey_run_current", ["current_id"], "state = 'contacting'"),
        ("ix_journey_run_customer", ["customer_id"], "state <> 'ended'"),
        ("ix_journey_run_open", ["campaign_id"], "state <> 'ended'"),
    ):
        op.create_index(name, "journey_run", columns, postgresql_where=sa.text(where))
    op.create_index(
        op.f("ix_journey_run_campaign_id_contact_id"), "journey_run", ["campaign_id", "contact_id"]
    )
    enable_parent_rls("journey_run", "contact_id", "contact")


def downgrade() -> None:
    op.drop_table("journey_segment")
    op.drop_table("journey_run")
    op.drop_constraint("pk_campaign_arm", "campaign_arm")
    op.create_primary_key(op.f("pk_campaign_arm"), "campaign_arm", ["campaign_id", "key"])
    op.drop_column("campaign_arm", "journey_start")
    op.drop_column("campaign_arm", "step")
    op.drop_constraint("uq_contact_campaign_id_customer_id_step", "contact")
    op.create_unique_constraint(
        op.f("uq_contact_campaign_id_customer_id"), "contact", ["campaign_id", "customer_id"]
    )
    op.drop_column("contact", "step")
    op.drop_constraint("ck_campaign_approval_covers_content", "campaign")
    op.create_check_constraint(op.f("ck_campaign_approval_covers_content"), "campaign", _COVERS.format(""))
    op.drop_column("campaign", "paused_at")
    op.execute("DROP FUNCTION follow_up_key(uuid, text)")
