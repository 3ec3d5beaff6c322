"""Referrals.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# A referral concerns two branches: the one that makes it and the one it is for.
POLICY = """
ALTER TABLE referral ENABLE ROW LEVEL SECURITY;
CREATE POLICY referral_of_both_sides ON referral USING (in_org_scope(org_path) OR in_org_scope(to_org))
"""

# Whom one may refer to, also where the caller does not see the customers. Says yes or no, no more.
# '/' comes right after '.': the range is everything below the organisation, read by index.
RECEIVERS = """
CREATE FUNCTION org_has_customers(org text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
  SELECT EXISTS (SELECT FROM known_customer WHERE org_path = org)
      OR EXISTS (SELECT FROM known_customer WHERE org_path ~>=~ (org || '.') AND org_path ~<~ (org || '/'))
$$;
CREATE FUNCTION manages_customers(org text, manager text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
  SELECT EXISTS (SELECT FROM known_customer
                 WHERE org_path = org AND (primary_manager = manager OR backup_manager = manager))
$$
"""


def upgrade() -> None:
    op.create_table(
        "referral",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("from_line", sa.Text(), nullable=False),
        sa.Column("org_path", sa.Text(), nullable=False),
        sa.Column("referrer", sa.Text(), nullable=False),
        sa.Column("to_line", sa.Text(), nullable=False),
        sa.Column("to_org", sa.Text(), nullable=False),
        sa.Column("to_manager", sa.Text(), nullable=True),
        sa.Column("receiver", sa.Text(), nullable=True),
        sa.Column("offer", sa.Text(), nullable=True),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("lead_core_id", sa.Uuid(), nullable=True),
        sa.Column("lead_role", sa.Text(), nullable=True),
        sa.Column("referrer_share", sa.Numeric(5, 4), nullable=False),
        sa.Column("receiver_share", sa.Numeric(5, 4), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_by", sa.Text(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("amount", sa.Numeric(20, 2), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        *_checks(),
        sa.ForeignKeyConstraint(["offer"], ["offer.key"], name=op.f("fk_referral_offer_offer")),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_referral_task_id_task")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_referral")),
        sa.UniqueConstraint("task_id", name=op.f("uq_referral_task_id")),
    )
    op.create_index(op.f("ix_referral_customer_id"), "referral", ["customer_id"], unique=False)
    op.create_index(op.f("ix_referral_lead_core_id"), "referral", ["lead_core_id"], unique=False)
    op.create_index(op.f("ix_referral_made_at_id"), "referral", ["made_at", "id"], unique=False)
    op.create_index(
        "ix_referral_lapsing",
        "referral",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("state = 'made'"),
    )
    op.create_index(
        "uq_referral_open",
        "referral",
        ["customer_id", "to_line", "to_org", "to_manager", "offer", "category"],
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=sa.text("state IN ('made', 'accepted')"),
    )
    op.execute(POLICY)
    op.execute(RECEIVERS)


def _checks() -> list[sa.CheckConstraint]:
    checks = {
        "state": "state IN ('made', 'accepted', 'rejected', 'lapsed', 'withdrawn', 'won', 'lost')",
        "credit": "referrer_share >= 0 AND receiver_share >= 0 AND referrer_share + receiver_share = 1",
        "maker_does_not_answer": "receiver <> referrer"
        " AND (state IN ('made', 'withdrawn') OR answered_by <> made_by) AND closed_by <> made_by",
        "answer": "(state = 'made') = (answered_at IS NULL)",
        "result": "(state IN ('won', 'lost')) = (closed_at IS NOT NULL)",
        "amount": "(state = 'won') = (amount IS NOT NULL) AND (amount IS NULL) = (currency IS NULL)",
        "receiver": "state NOT IN ('accepted', 'won', 'lost') OR receiver IS NOT NULL",
    }
    return [
        sa.CheckConstraint(condition, name=op.f(f"ck_referral_{name}")) for name, condition in checks.items()
    ]


def downgrade() -> None:
    op.drop_table("referral")
    op.execute("DROP FUNCTION manages_customers(text, text)")
    op.execute("DROP FUNCTION org_has_customers(text)")
