"""What accepting a recommendation made besides a campaign, and what it stopped.

Revision ID: 0012
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "recommendation", sa.Column("segment", postgresql.JSONB(astext_type=sa.Text()), nullable=True)
    )
    op.add_column("recommendation", sa.Column("stopped", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("recommendation", "stopped")
    op.drop_column("recommendation", "segment")
