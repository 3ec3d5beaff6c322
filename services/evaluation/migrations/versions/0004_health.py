"""Pauses and resumptions of campaigns.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

from shared.ddl import enable_parent_rls

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "course_change",
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["registration.campaign_id"], name=op.f("fk_course_change_campaign_id")
        ),
        sa.PrimaryKeyConstraint("campaign_id", "at", "state", name=op.f("pk_course_change")),
    )
    enable_parent_rls("course_change", "campaign_id", "registration", "campaign_id")


def downgrade() -> None:
    op.drop_table("course_change")
