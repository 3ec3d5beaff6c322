"""Strategies and their versions, and the one a campaign was submitted with.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

APPEND_ONLY = """
CREATE TRIGGER strategy_version_append_only BEFORE UPDATE OR DELETE ON strategy_version
  FOR EACH ROW EXECUTE FUNCTION refuse_rewrite()
"""


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "strategy",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.Column("org", sa.Text(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=True),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("changed_at", moment, nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("activated_at", moment, nullable=True),
        sa.Column("activated_by", sa.Text(), nullable=True),
        sa.Column("closed_at", moment, nullable=True),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.Column("closed_because", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('draft', 'active', 'closed')", name=op.f("ck_strategy_state")),
        sa.CheckConstraint(
            "(state <> 'active' OR activated_at IS NOT NULL)"
            " AND (state = 'closed') = (closed_at IS NOT NULL)",
            name=op.f("ck_strategy_dates"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_strategy")),
        sa.UniqueConstraint("key", name=op.f("uq_strategy_key")),
    )
    op.create_index(op.f("ix_strategy_org"), "strategy", ["org"], unique=False)
    op.create_table(
        "strategy_version",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.Column("written_at", moment, nullable=False),
        sa.Column("written_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["key"], ["strategy.key"], name=op.f("fk_strategy_version_key_strategy")),
        sa.PrimaryKeyConstraint("key", "version", name=op.f("pk_strategy_version")),
    )
    op.execute(APPEND_ONLY)
    op.add_column("campaign", sa.Column("strategy", sa.Text(), nullable=True))
    op.add_column("campaign", sa.Column("strategy_version", sa.Integer(), nullable=True))
    op.create_foreign_key(
        op.f("fk_campaign_strategy_strategy"), "campaign", "strategy", ["strategy"], ["key"]
    )
    op.create_index(
        "ix_campaign_strategy",
        "campaign",
        ["strategy"],
        unique=False,
        postgresql_where=sa.text("strategy IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_campaign_strategy", table_name="campaign")
    op.drop_constraint(op.f("fk_campaign_strategy_strategy"), "campaign", type_="foreignkey")
    op.drop_column("campaign", "strategy_version")
    op.drop_column("campaign", "strategy")
    op.drop_table("strategy_version")
    op.drop_table("strategy")
