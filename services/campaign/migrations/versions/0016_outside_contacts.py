"""Contacts that no campaign made.

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

from shared.ddl import enable_parent_rls

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "outside_contact",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outside_contact")),
    )
    op.create_index(op.f("ix_outside_contact_customer_id_at"), "outside_contact", ["customer_id", "at"])
    op.create_index(op.f("ix_outside_contact_at"), "outside_contact", ["at"])
    enable_parent_rls("outside_contact", "customer_id", "known_customer")


def downgrade() -> None:
    op.drop_table("outside_contact")
