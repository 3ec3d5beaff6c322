"""Cells of any dimensions.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

from shared.ddl import enable_org_rls

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cell_block",
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("org_path", sa.Text(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["registration.campaign_id"], name=op.f("fk_cell_block_campaign_id")
        ),
        sa.PrimaryKeyConstraint("campaign_id", "org_path", name=op.f("pk_cell_block")),
    )
    enable_org_rls("cell_block")


def downgrade() -> None:
    op.drop_table("cell_block")
