"""Customers may be merged into a survivor and separated again; match keys; pairs that may be the same person.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from shared.ddl import enable_parent_rls

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_JSON = postgresql.JSONB(astext_type=sa.Text())
_INSTANT = sa.DateTime(timezone=True)

# A pair says something of both: who does not see one of them does not see the pair.
_DUPLICATE_WITH_BOTH = """
CREATE POLICY duplicate_with_both ON duplicate USING (
  current_setting('huanying.org_scope', true) = '*'
  OR (EXISTS (SELECT 1 FROM customer WHERE customer.id = duplicate.first_id)
      AND EXISTS (SELECT 1 FROM customer WHERE customer.id = duplicate.second_id)))
"""

# Under row-level security an index answers only for operators that cannot tell what they were asked, and
# containment of arrays is not among them: this function looks by itself, within the caller's scope.
CUSTOMERS_NAMED = """
CREATE FUNCTION customers_named(pieces bigint[], after uuid, most integer) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
  SELECT DISTINCT coalesce(merged_into, id) AS file FROM customer
  WHERE name_grams @> pieces AND in_org_scope(org_path) AND (after IS NULL OR coalesce(merged_into, id) > after)
  ORDER BY file LIMIT most
$$
"""


def upgrade() -> None:
    op.add_column("customer", sa.Column("merged_into", sa.Uuid(), nullable=True))
    op.create_foreign_key(op.f("fk_customer_merged_into"), "customer", "customer", ["merged_into"], ["id"])
    merged = sa.text("merged_into IS NOT NULL")
    op.create_index("ix_customer_merged_into", "customer", ["merged_into"], postgresql_where=merged)
    op.create_index("ix_customer_merged", "customer", ["id"], postgresql_where=merged)
    _add_match_keys()
    _create_ledger()
    _create_duplicates()


def _add_match_keys() -> None:
    op.add_column("customer", sa.Column("name_key", sa.BigInteger(), nullable=True))
    op.add_column("customer", sa.Column("name_grams", postgresql.ARRAY(sa.BigInteger()), nullable=True))
    op.add_column("customer", sa.Column("match_version", sa.SmallInteger(), nullable=True))
    op.create_index("ix_customer_name_key", "customer", ["name_key", "birth_date"])
    op.create_index("ix_customer_name_grams", "customer", ["name_grams"], postgresql_using="gin")
    op.create_index(
        "ix_customer_unmatched", "customer", ["id"], postgresql_where=sa.text("match_version IS NULL")
    )
    op.execute(CUSTOMERS_NAMED)


def _create_ledger() -> None:
    op.create_table(
        "merge",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("survivor_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("choices", _JSON, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("touched", _JSON, server_default=sa.text("'[]'"), nullable=False),
        sa.Column("merged_at", _INSTANT, nullable=False),
        sa.Column("merged_by", sa.Text(), nullable=False),
        sa.Column("undone_at", _INSTANT, nullable=True),
        sa.Column("undone_by", sa.Text(), nullable=True),
        sa.Column("undo_reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["survivor_id"], ["customer.id"], name=op.f("fk_merge_survivor_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_merge")),
    )
    op.create_index(op.f("ix_merge_survivor_id"), "merge", ["survivor_id"])
    op.create_table(
        "merge_member",
        sa.Column("merge_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("previous_survivor", sa.Uuid(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("org_path", sa.Text(), nullable=False),
        sa.Column("primary_manager", sa.Text(), nullable=True),
        sa.Column("backup_manager", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_merge_member_customer_id")),
        sa.ForeignKeyConstraint(["merge_id"], ["merge.id"], name=op.f("fk_merge_member_merge_id")),
        sa.ForeignKeyConstraint(
            ["previous_survivor"], ["customer.id"], name=op.f("fk_merge_member_previous_survivor")
        ),
        sa.PrimaryKeyConstraint("merge_id", "customer_id", name=op.f("pk_merge_member")),
    )
    op.create_index(op.f("ix_merge_member_customer_id"), "merge_member", ["customer_id"])
    op.create_table(
        "own_risk",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("level", sa.Text(), nullable=True),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("assessed_at", _INSTANT, nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_own_risk_customer_id")),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_own_risk")),
    )
    enable_parent_rls("merge", "survivor_id", "customer")
    enable_parent_rls("merge_member", "customer_id", "customer")
    enable_parent_rls("own_risk", "customer_id", "customer")


def _create_duplicates() -> None:
    op.create_table(
        "duplicate",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("first_id", sa.Uuid(), nullable=False),
        sa.Column("second_id", sa.Uuid(), nullable=False),
        sa.Column("score", sa.Numeric(precision=5, scale=4), nullable=False),
        sa.Column("evidence", _JSON, nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("found_at", _INSTANT, nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", _INSTANT, nullable=True),
        sa.ForeignKeyConstraint(["first_id"], ["customer.id"], name=op.f("fk_duplicate_first_id")),
        sa.ForeignKeyConstraint(["second_id"], ["customer.id"], name=op.f("fk_duplicate_second_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duplicate")),
        sa.UniqueConstraint("first_id", "second_id", name=op.f("uq_duplicate_first_id_second_id")),
    )
    op.create_index(op.f("ix_duplicate_second_id"), "duplicate", ["second_id"])
    op.create_index(
        "ix_duplicate_open_score", "duplicate", ["score", "id"], postgresql_where=sa.text("state = 'open'")
    )
    op.execute("ALTER TABLE duplicate ENABLE ROW LEVEL SECURITY")
    op.execute(_DUPLICATE_WITH_BOTH)


def downgrade() -> None:
    for table in ("duplicate", "own_risk", "merge_member", "merge"):
        op.drop_table(table)
    op.execute("DROP FUNCTION customers_named")
    for column in ("merged_into", "name_key", "name_grams", "match_version"):
        op.drop_column("customer", column)
