"""Models of who responds.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "response_model",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("fitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("document", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["registration.campaign_id"],
            name=op.f("fk_response_model_campaign_id_registration"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_response_model")),
    )
    op.create_index(
        "ix_response_model_campaign_id_fitted_at",
        "response_model",
        ["campaign_id", "fitted_at"],
        unique=False,
    )


def downgrade() -> None:
    op.drop_table("response_model")
