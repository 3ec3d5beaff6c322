"""Data quality.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from shared.ddl import enable_org_rls, enable_parent_rls

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# A twin in another branch counts too, though the caller does not see it: the answer is yes or no.
REPEATED_MARKS = """
CREATE FUNCTION repeated_marks(ids uuid[])
RETURNS TABLE (customer_id uuid, id_number boolean, phone boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
  SELECT c.id,
    EXISTS (SELECT 1 FROM customer o WHERE o.id_hash = c.id_hash AND o.id <> c.id
            AND o.merged_into IS NULL AND o.status = 'active'),
    EXISTS (SELECT 1 FROM customer o WHERE o.phone_hash = c.phone_hash AND o.id <> c.id
            AND o.merged_into IS NULL AND o.status = 'active')
  FROM customer c WHERE c.id = ANY(ids)
$$
"""


def upgrade() -> None:
    json = postgresql.JSONB(astext_type=sa.Text())
    op.create_table(
        "quality_rule",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("spec", json, nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_quality_rule")),
    )
    op.create_table(
        "quality_result",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        *(
            sa.Column(name, sa.Numeric(precision=5, scale=2), nullable=True)
            for name in ("score", "completeness", "validity", "freshness", "uniqueness")
        ),
        sa.Column("failing", json, nullable=False),
        sa.Column("next_check", sa.Date(), nullable=True),
        sa.Column("evaluated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_quality_result")),
    )
    enable_parent_rls("quality_result", "customer_id", "customer")
    op.create_table(
        "quality_day",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("org_path", sa.Text(), nullable=False),
        sa.Column("manager", sa.Text(), nullable=False),
        sa.Column("customers", sa.BigInteger(), nullable=False),
        sa.Column("sums", json, nullable=False),
        sa.PrimaryKeyConstraint("day", "org_path", "manager", name=op.f("pk_quality_day")),
    )
    enable_org_rls("quality_day")
    op.create_index("ix_customer_updated_at", "customer", ["updated_at"], postgresql_using="brin")
    op.execute(REPEATED_MARKS)


def downgrade() -> None:
    op.execute("DROP FUNCTION repeated_marks(uuid[])")
    op.drop_index("ix_customer_updated_at", "customer")
    for table in ("quality_day", "quality_result", "quality_rule"):
        op.drop_table(table)
