"""Quotas of offers, budgets of campaigns, and what contacts have reserved of them.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

MONEY = sa.Numeric(20, 2)


def upgrade() -> None:
    op.create_table(
        "offer_quota",
        sa.Column("offer", sa.Text(), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("reserved", sa.Integer(), server_default="0", nullable=False),
        sa.Column("sold", sa.Integer(), server_default="0", nullable=False),
        sa.Column("exhausted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "reserved >= 0 AND sold >= 0 AND reserved + sold <= units",
            name=op.f("ck_offer_quota_within_units"),
        ),
        sa.ForeignKeyConstraint(["offer"], ["offer.key"], name=op.f("fk_offer_quota_offer_offer")),
        sa.PrimaryKeyConstraint("offer", name=op.f("pk_offer_quota")),
    )
    op.create_table(
        "campaign_budget",
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("amount", MONEY, nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("least_cost", MONEY, nullable=False),
        sa.Column("reserved", MONEY, server_default="0", nullable=False),
        sa.Column("spent", MONEY, server_default="0", nullable=False),
        sa.Column("exhausted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("reserved >= 0 AND spent >= 0", name=op.f("ck_campaign_budget_not_negative")),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaign.id"], name=op.f("fk_campaign_budget_campaign_id_campaign")
        ),
        sa.PrimaryKeyConstraint("campaign_id", name=op.f("pk_campaign_budget")),
    )
    op.create_table(
        "reservation",
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("offer", sa.Text(), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("cost", MONEY, nullable=False),
        sa.Column("lapses_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contact.id"], name=op.f("fk_reservation_contact_id_contact")
        ),
        sa.PrimaryKeyConstraint("contact_id", name=op.f("pk_reservation")),
    )
    op.create_index(op.f("ix_reservation_lapses_at"), "reservation", ["lapses_at"], unique=False)


def downgrade() -> None:
    op.drop_table("reservation")
    op.drop_table("campaign_budget")
    op.drop_table("offer_quota")
