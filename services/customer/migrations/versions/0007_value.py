"""Value of customers; accounts by the day they mature.

Revision ID: 0007
Revises: 0006
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from shared.ddl import enable_org_rls, enable_parent_rls

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

FIGURES = (
    "average_balance",
    "ftp_margin",
    "fees",
    "expected_loss",
    "operating_cost",
    "capital",
    "capital_charge",
    "contribution",
)

# A co-managing branch has its share of customers it does not see: this function sees every branch
# (SECURITY DEFINER) and answers sums alone, for units within the caller's scope. A row is split by largest
# remainder, in cents and figure by figure, so the branches of a customer always add up to the customer.
BRANCH_VALUE = """
CREATE FUNCTION branch_value(unit text, runs uuid[])
RETURNS TABLE (run_id uuid, org_path text, product text, customers bigint, average_balance numeric,
  ftp_margin numeric, fees numeric, expected_loss numeric, operating_cost numeric, capital numeric,
  capital_charge numeric, contribution numeric)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
  WITH branch AS MATERIALIZED (
    SELECT b.customer_id, b.org_path, b.share, b.role = 'lead' AS lead
    FROM customer_branch b WHERE b.valid_to IS NULL
      AND b.customer_id IN (SELECT customer_id FROM customer_branch WHERE valid_to IS NULL AND share < 1
                            AND (unit = 'hq' OR org_path = unit OR starts_with(org_path, unit || '.')))
  ), alone AS (
    SELECT v.run_id, s.org_path, v.product, s.id AS customer_id, v.average_balance, v.ftp_margin, v.fees,
      v.expected_loss, v.operating_cost, v.capital, v.capital_charge
    FROM customer s JOIN customer c ON coalesce(c.merged_into, c.id) = s.id
    JOIN customer_value v ON v.customer_id = c.id AND v.run_id = ANY(runs)
    WHERE s.merged_into IS NULL AND (unit = 'hq' OR s.org_path = unit OR starts_with(s.org_path, unit || '.'))
      AND NOT EXISTS (SELECT 1 FROM branch WHERE branch.customer_id = s.id)
  ), cents AS (
    SELECT v.run_id, b.org_path, v.product, b.customer_id, c.id AS home, f.figure,
      floor(f.amount * 100 * b.share) AS whole,
      f.amount * 100 - sum(floor(f.amount * 100 * b.share)) OVER each AS remaining,
      row_number() OVER (each ORDER BY f.amount * 100 * b.share - floor(f.amount * 100 * b.share) DESC,
                         b.lead DESC, b.org_path) AS place
    FROM branch b JOIN customer c ON coalesce(c.merged_into, c.id) = b.customer_id
    JOIN customer_value v ON v.customer_id = c.id AND v.run_id = ANY(runs)
    CROSS JOIN LATERAL (VALUES (1, v.average_balance), (2, v.ftp_margin), (3, v.fees), (4, v.expected_loss),
      (5, v.operating_cost), (6, v.capital), (7, v.capital_charge)) AS f(figure, amount)
    WINDOW each AS (PARTITION BY v.run_id, c.id, v.product, f.figure)
  ), part AS (
    SELECT *, (whole + CASE WHEN place <= remaining THEN 1 ELSE 0 END) / 100 AS amount FROM cents
  ), shared AS (
    SELECT part.run_id, part.org_path, part.product, part.customer_id,
      sum(amount) FILTER (WHERE figure = 1) AS average_balance, sum(amount) FILTER (WHERE figure = 2) AS ftp_margin,
      sum(amount) FILTER (WHERE figure = 3) AS fees, sum(amount) FILTER (WHERE figure = 4) AS expected_loss,
      sum(amount) FILTER (WHERE figure = 5) AS operating_cost, sum(amount) FILTER (WHERE figure = 6) AS capital,
      sum(amount) FILTER (WHERE figure = 7) AS capital_charge
    FROM part WHERE unit = 'hq' OR part.org_path = unit OR starts_with(part.org_path, unit || '.')
    GROUP BY 1, 2, 3, 4
  ), line AS (SELECT * FROM alone UNION ALL SELECT * FROM shared)
  SELECT line.run_id, line.org_path, line.product, count(DISTINCT line.customer_id),
    sum(line.average_balance), sum(line.ftp_margin), sum(line.fees), sum(line.expected_loss),
    sum(line.operating_cost), sum(line.capital), sum(line.capital_charge),
    sum(line.ftp_margin + line.fees - line.expected_loss - line.operating_cost - line.capital_charge)
  FROM line WHERE in_org_scope(unit) GROUP BY 1, 2, 3
$$
"""

# A month's rows come at once: until the planner has heard of the new run it expects a handful of them, and
# joins them one by one. Only the owner of a table may analyse it, and the application does not own it.
VALUE_STATISTICS = """
CREATE FUNCTION refresh_value_statistics() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$ BEGIN ANALYZE customer_value; END $$
"""


def _figures() -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Numeric(precision=20, scale=2), nullable=False) for name in FIGURES]


def upgrade() -> None:
    json = postgresql.JSONB(astext_type=sa.Text())
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "value_model",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("schedule", sa.Boolean(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_value_model")),
    )
    op.create_table(
        "value_model_version",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("spec", json, nullable=False),
        sa.Column("changed_at", moment, nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["code"], ["value_model.code"], name=op.f("fk_value_model_version_code")),
        sa.PrimaryKeyConstraint("code", "version", name=op.f("pk_value_model_version")),
    )
    op.create_table(
        "value_run",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("model_version", sa.Integer(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("through", sa.Date(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("day_count", sa.Integer(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("watermark", json, nullable=False),
        sa.Column("counts", json, nullable=False),
        sa.Column("replaces", sa.Uuid(), nullable=True),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("finished_at", moment, nullable=True),
        sa.ForeignKeyConstraint(["model"], ["value_model.code"], name=op.f("fk_value_run_model")),
        sa.ForeignKeyConstraint(["replaces"], ["value_run.id"], name=op.f("fk_value_run_replaces")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_value_run")),
        sa.UniqueConstraint("number", name=op.f("uq_value_run_number")),
    )
    op.create_index("ix_value_run_model_month", "value_run", ["model", "month", "number"])
    op.create_index(
        "ix_value_run_current",
        "value_run",
        ["model", "month"],
        unique=True,
        postgresql_where=sa.text("state = 'current'"),
    )
    for table in ("customer_value", "superseded_value"):
        op.create_table(
            table,
            sa.Column("customer_id", sa.Uuid(), nullable=False),
            sa.Column("run_id", sa.Uuid(), nullable=False),
            sa.Column("product", sa.Text(), nullable=False),
            sa.Column("accounts", sa.Integer(), nullable=False),
            *_figures(),
            sa.PrimaryKeyConstraint("customer_id", "run_id", "product", name=op.f(f"pk_{table}")),
        )
        op.create_index(f"ix_{table}_run_id", table, ["run_id"])
        enable_parent_rls(table, "customer_id", "customer")
    op.create_table(
        "value_run_total",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("org_path", sa.Text(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("customers", sa.BigInteger(), nullable=False),
        *_figures(),
        sa.ForeignKeyConstraint(["run_id"], ["value_run.id"], name=op.f("fk_value_run_total_run_id")),
        sa.PrimaryKeyConstraint("run_id", "org_path", "product", name=op.f("pk_value_run_total")),
    )
    enable_org_rls("value_run_total")
    op.create_table(
        "value_benchmark",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("peer_group", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("peers", sa.BigInteger(), nullable=False),
        sa.Column("income", sa.Numeric(precision=20, scale=2), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["value_run.id"], name=op.f("fk_value_benchmark_run_id")),
        sa.PrimaryKeyConstraint("run_id", "peer_group", "category", name=op.f("pk_value_benchmark")),
    )
    op.execute(BRANCH_VALUE)
    op.execute(VALUE_STATISTICS)
    op.create_index(
        "ix_holding_matures_on",
        "holding",
        ["matures_on", "customer_id", "account"],
        postgresql_where=sa.text("matures_on IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_holding_matures_on", "holding")
    op.execute("DROP FUNCTION refresh_value_statistics()")
    op.execute("DROP FUNCTION branch_value(text, uuid[])")
    for table in (
        "value_benchmark",
        "value_run_total",
        "superseded_value",
        "customer_value",
        "value_run",
        "value_model_version",
        "value_model",
    ):
        op.drop_table(table)
