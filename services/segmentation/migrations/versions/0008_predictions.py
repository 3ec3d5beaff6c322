"""Churn warnings and life-cycle stages.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from shared.ddl import enable_org_rls

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "churn_warning",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("model_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("survivor_id", sa.Uuid(), nullable=True),
        sa.Column("regrouped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("org_path", sa.Text(), nullable=False),
        sa.Column("primary_manager", sa.Text(), nullable=True),
        sa.Column("probability", sa.Float(), nullable=False),
        sa.Column("assets", sa.Numeric(20, 2), nullable=False),
        sa.Column("at_stake", sa.Numeric(20, 2), nullable=False),
        sa.Column("reasons", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("runs", sa.Integer(), server_default="1", nullable=False),
        sa.Column("first_raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("acknowledged_by", sa.Text(), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_churn_warning")),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"], name=op.f("fk_churn_warning_model_id")),
        sa.ForeignKeyConstraint(["run_id"], ["model_run.id"], name=op.f("fk_churn_warning_run_id")),
    )
    op.create_index(
        "uq_churn_warning_active",
        "churn_warning",
        ["model_id", "ordinal"],
        unique=True,
        postgresql_where=sa.text("state IN ('open', 'acknowledged')"),
    )
    op.create_index("ix_churn_warning_at_stake", "churn_warning", ["at_stake", "id"])
    op.create_index("ix_churn_warning_customer_id", "churn_warning", ["customer_id"])
    op.create_index("ix_churn_warning_run_id", "churn_warning", ["run_id"])
    enable_org_rls("churn_warning")
    op.create_table(
        "life_cycle_scheme",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("thresholds", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_life_cycle_scheme")),
    )


def downgrade() -> None:
    op.drop_table("life_cycle_scheme")
    op.drop_table("churn_warning")
