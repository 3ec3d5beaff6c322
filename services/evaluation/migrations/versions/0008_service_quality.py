"""Service quality.

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

TABLES = (
    "service_quality_index",
    "service_quality_run",
    "service_quality_observation",
    "service_quality_model",
)


def upgrade() -> None:
    op.create_table(
        "service_quality_model",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("definition", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", "version", name=op.f("pk_service_quality_model")),
    )
    op.create_table(
        "service_quality_observation",
        sa.Column("model_key", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("business", sa.Text(), nullable=False),
        sa.Column("org_path", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("indicators", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("values", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_key", "version"],
            ["service_quality_model.key", "service_quality_model.version"],
            name=op.f("fk_service_quality_observation_model_key_version"),
        ),
        sa.PrimaryKeyConstraint(
            "model_key", "period", "business", "org_path", name=op.f("pk_service_quality_observation")
        ),
    )
    op.create_table(
        "service_quality_run",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("model_key", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("ran_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("document", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_key", "version"],
            ["service_quality_model.key", "service_quality_model.version"],
            name=op.f("fk_service_quality_run_model_key_version"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_quality_run")),
    )
    op.create_index(
        "ix_service_quality_run_model_key_ran_at",
        "service_quality_run",
        ["model_key", "ran_at"],
        unique=False,
    )
    op.create_table(
        "service_quality_index",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("org_path", sa.Text(), nullable=False),
        sa.Column("row", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["service_quality_run.id"], name=op.f("fk_service_quality_index_run_id")
        ),
        sa.PrimaryKeyConstraint("run_id", "period", "org_path", name=op.f("pk_service_quality_index")),
    )
    enable_org_rls("service_quality_observation")
    enable_org_rls("service_quality_index")


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
