"""Price quotes.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from shared.ddl import enable_parent_rls

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

LIST_APPEND_ONLY = """
CREATE TRIGGER price_list_append_only BEFORE UPDATE OR DELETE ON price_list
  FOR EACH ROW EXECUTE FUNCTION refuse_rewrite()
"""

# What was submitted is what is decided on, and what was granted stays.
QUOTE_STAYS = """
CREATE FUNCTION check_price_quote() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.status <> 'draft' THEN
      RAISE EXCEPTION 'a quote begins as a draft' USING ERRCODE = 'check_violation';
    END IF;
  ELSIF OLD.status = 'approved'
     OR (NEW.decided_by IS NOT NULL AND NEW.decided_by IS DISTINCT FROM OLD.decided_by
         AND OLD.status <> 'in_review')
     OR (OLD.status = 'in_review' AND NEW.status <> 'draft' AND
         (NEW.customer_id, NEW.price_list, NEW.price_list_version, NEW.request, NEW.figures, NEW.revenue,
          NEW.cost, NEW.floor, NEW.needs_approval, NEW.valid_until, NEW.created_by, NEW.edited_by,
          NEW.submitted_by) IS DISTINCT FROM
         (OLD.customer_id, OLD.price_list, OLD.price_list_version, OLD.request, OLD.figures, OLD.revenue,
          OLD.cost, OLD.floor, OLD.needs_approval, OLD.valid_until, OLD.created_by, OLD.edited_by,
          OLD.submitted_by)) THEN
    RAISE EXCEPTION 'quote % is %', OLD.id, OLD.status USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER price_quote_stays BEFORE INSERT OR UPDATE ON price_quote
  FOR EACH ROW EXECUTE FUNCTION check_price_quote()
"""


def upgrade() -> None:
    op.create_table(
        "price_list",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", "version", name=op.f("pk_price_list")),
    )
    quote_table()
    op.create_table(
        "known_contribution",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("contribution", sa.Numeric(precision=20, scale=2), nullable=True),
        sa.PrimaryKeyConstraint("customer_id", "model", "month", name=op.f("pk_known_contribution")),
    )
    for table in ("price_quote", "known_contribution"):
        enable_parent_rls(table, "customer_id", "known_customer")
    op.execute(LIST_APPEND_ONLY)
    op.execute(QUOTE_STAYS)


def quote_table() -> None:
    op.create_table(
        "price_quote",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("price_list", sa.Text(), nullable=False),
        sa.Column("price_list_version", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("request", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("figures", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        *(
            sa.Column(name, sa.Numeric(precision=20, scale=2), nullable=False)
            for name in ("revenue", "cost", "floor", "given_away")
        ),
        sa.Column("needs_approval", sa.Boolean(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("edited_by", sa.Text(), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("submitted_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decision_comment", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "status IN ('draft', 'in_review', 'approved', 'rejected')", name=op.f("ck_price_quote_status")
        ),
        sa.CheckConstraint(
            "decided_by IS NULL OR (submitted_by IS NOT NULL AND decided_by <> submitted_by"
            " AND decided_by <> edited_by AND decided_by <> created_by)",
            name=op.f("ck_price_quote_maker_is_not_checker"),
        ),
        sa.CheckConstraint(
            "status <> 'approved' OR decided_by IS NOT NULL OR (NOT needs_approval AND revenue >= cost)",
            name=op.f("ck_price_quote_below_cost_is_approved"),
        ),
        sa.CheckConstraint(
            "(status = 'draft') = (submitted_by IS NULL) AND (submitted_by IS NULL) = (valid_until IS NULL)",
            name=op.f("ck_price_quote_submission"),
        ),
        sa.ForeignKeyConstraint(
            ["price_list", "price_list_version"],
            ["price_list.key", "price_list.version"],
            name=op.f("fk_price_quote_price_list_price_list_version"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_quote")),
    )
    op.create_index(op.f("ix_price_quote_customer_id"), "price_quote", ["customer_id"], unique=False)


def downgrade() -> None:
    for table in ("price_quote", "known_contribution", "price_list"):
        op.drop_table(table)
    op.execute("DROP FUNCTION check_price_quote()")
