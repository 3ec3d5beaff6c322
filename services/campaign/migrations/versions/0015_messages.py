"""Messages that channels carry to customers.

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

from shared.ddl import enable_parent_rls

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_OPEN = "state IN ('planned', 'claimed', 'submitting')"


def upgrade() -> None:
    # A message has no manager.
    op.drop_constraint("ck_contact_arm", "contact")
    op.create_check_constraint(
        op.f("ck_contact_arm"),
        "contact",
        "(state IN ('assigned', 'done', 'expired')) = (arm IS NOT NULL)"
        " AND (manager IS NOT NULL) <= (arm IS NOT NULL)",
    )
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "message",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("arm", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("planned_at", moment, nullable=False),
        sa.Column("due_at", moment, nullable=False),
        sa.Column("fence", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lease_until", moment, nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("submitted_at", moment, nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("closed_at", moment, nullable=True),
        sa.CheckConstraint(
            "state IN ('planned', 'claimed', 'submitting', 'accepted', 'delivered', 'read', 'failed',"
            " 'unknown', 'expired')",
            name=op.f("ck_message_state"),
        ),
        sa.CheckConstraint(
            "(state IN ('claimed', 'submitting')) = (lease_until IS NOT NULL)", name=op.f("ck_message_lease")
        ),
        sa.CheckConstraint(
            "(state IN ('planned', 'claimed', 'submitting')) = (closed_at IS NULL)",
            name=op.f("ck_message_closed"),
        ),
        sa.ForeignKeyConstraint(["channel"], ["channel.key"], name=op.f("fk_message_channel_channel")),
        sa.ForeignKeyConstraint(["id"], ["contact.id"], name=op.f("fk_message_id_contact")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
    )
    op.create_index(
        "ix_message_due", "message", ["channel", "due_at", "id"], postgresql_where="state = 'planned'"
    )
    op.create_index(
        "ix_message_lease", "message", ["lease_until"], postgresql_where="lease_until IS NOT NULL"
    )
    op.create_index("ix_message_open", "message", ["campaign_id"], postgresql_where=_OPEN)
    op.create_index("ix_message_submitted", "message", ["channel", "submitted_at"])
    op.create_index(
        "ix_message_reference", "message", ["channel", "reference"], postgresql_where="reference IS NOT NULL"
    )
    op.create_index(op.f("ix_message_campaign_id_id"), "message", ["campaign_id", "id"])
    enable_parent_rls("message", "id", "contact")


def downgrade() -> None:
    op.drop_table("message")
    op.drop_constraint("ck_contact_arm", "contact")
    op.create_check_constraint(
        op.f("ck_contact_arm"),
        "contact",
        "(state IN ('assigned', 'done', 'expired')) = (arm IS NOT NULL)"
        " AND (arm IS NULL) = (manager IS NULL)",
    )
