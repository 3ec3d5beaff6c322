"""Plans of the contact optimiser.

Revision ID: 0004
Revises: 0003
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from shared.ddl import enable_org_rls, enable_parent_rls

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

STATES = "state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')"


def upgrade() -> None:
    op.create_table(
        "optimisation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("org_path", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("request", postgresql.JSONB(), nullable=False),
        sa.Column("result", postgresql.JSONB(none_as_null=True), nullable=True),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(STATES, name=op.f("ck_optimisation_state")),
        sa.CheckConstraint(
            "(state = 'succeeded') = (result IS NOT NULL)", name=op.f("ck_optimisation_result")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_optimisation")),
    )
    op.create_index(op.f("ix_optimisation_org_path"), "optimisation", ["org_path"], unique=False)
    _create_parts()
    enable_org_rls("optimisation")
    enable_org_rls("optimised_contact")
    enable_parent_rls("optimised_manager", "optimisation_id", "optimisation")
    enable_parent_rls("optimised_part", "optimisation_id", "optimisation")


def _create_parts() -> None:
    parts: tuple[tuple[str, list[sa.Column[Any]], list[str]], ...] = (
        (
            "optimised_contact",
            [
                sa.Column("campaign_id", sa.Uuid(), nullable=False),
                sa.Column("customer_id", sa.Uuid(), nullable=False),
                sa.Column("manager", sa.Text(), nullable=False),
                sa.Column("org_path", sa.Text(), nullable=False),
                sa.Column("value", sa.Float(), nullable=False),
            ],
            ["campaign_id", "customer_id"],
        ),
        (
            "optimised_manager",
            [
                sa.Column("manager", sa.Text(), nullable=False),
                sa.Column("contacts", sa.Integer(), nullable=False),
                sa.Column("minutes", sa.Float(), nullable=False),
                sa.Column("value", sa.Float(), nullable=False),
                sa.Column("price", sa.Float(), nullable=False),
            ],
            ["manager"],
        ),
        (
            "optimised_part",
            [
                sa.Column("part", sa.Integer(), autoincrement=False, nullable=False),
                sa.Column("payload", sa.LargeBinary(), nullable=False),
            ],
            ["part"],
        ),
    )
    for table, columns, key in parts:
        op.create_table(
            table,
            sa.Column("optimisation_id", sa.Uuid(), nullable=False),
            *columns,
            sa.ForeignKeyConstraint(
                ["optimisation_id"], ["optimisation.id"], name=op.f(f"fk_{table}_optimisation_id")
            ),
            sa.PrimaryKeyConstraint("optimisation_id", *key, name=op.f(f"pk_{table}")),
        )
    op.create_index(
        op.f("ix_optimised_contact_optimisation_id_manager_campaign_id_customer_id"),
        "optimised_contact",
        ["optimisation_id", "manager", "campaign_id", "customer_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_optimised_contact_customer_id"), "optimised_contact", ["customer_id"], unique=False
    )


def downgrade() -> None:
    for table in ("optimised_part", "optimised_manager", "optimised_contact", "optimisation"):
        op.drop_table(table)
