"""What other services are told of value: the potential of each customer, and which calculation it is.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

from shared.ddl import enable_parent_rls

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("value_run", sa.Column("edition", sa.BigInteger(), nullable=True))
    op.create_table(
        "customer_potential",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=20, scale=2), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "run_id", name=op.f("pk_customer_potential")),
    )
    op.create_index("ix_customer_potential_run_id", "customer_potential", ["run_id"])
    enable_parent_rls("customer_potential", "customer_id", "customer")


def downgrade() -> None:
    op.drop_table("customer_potential")
    op.drop_column("value_run", "edition")
