"""Merged and erased customers.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "evaluation_erasure",
        sa.Column("receipt_id", sa.Uuid(), nullable=False),
        sa.Column("customers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("receipt_id", name=op.f("pk_evaluation_erasure")),
    )
    op.create_index(
        "ix_evaluation_erasure_open",
        "evaluation_erasure",
        ["receipt_id"],
        unique=False,
        postgresql_where=sa.text("confirmed_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("evaluation_erasure")
