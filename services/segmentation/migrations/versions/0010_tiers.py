"""Tiers of customers.

Revision ID: 0010
Revises: 0009
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def _json(name: str, *, nullable: bool = False) -> "sa.Column[Any]":
    return sa.Column(name, postgresql.JSONB(astext_type=sa.Text()), nullable=nullable)


def _text(name: str, *, nullable: bool = False) -> "sa.Column[Any]":
    return sa.Column(name, sa.Text(), nullable=nullable)


def _time(name: str, *, nullable: bool = False) -> "sa.Column[Any]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    _create_schemes()
    _create_lists()
    op.create_table(
        "tier_override",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("scheme_id", sa.Uuid(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        _text("tier"),
        _text("reason"),
        _time("until"),
        _text("state"),
        _json("before", nullable=True),
        _text("made_by"),
        _time("made_at"),
        _text("decided_by", nullable=True),
        _time("decided_at", nullable=True),
        _text("comment"),
        _time("ended_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tier_override")),
        sa.ForeignKeyConstraint(
            ["scheme_id"], ["tier_scheme.id"], name=op.f("fk_tier_override_scheme_id_tier_scheme")
        ),
    )
    for state in ("proposed", "active"):
        op.create_index(
            f"uq_tier_override_{state}",
            "tier_override",
            ["scheme_id", "ordinal"],
            unique=True,
            postgresql_where=sa.text(f"state = '{state}'"),
        )
    op.create_index("ix_tier_override_ordinal", "tier_override", ["ordinal"], unique=False)


def _create_schemes() -> None:
    op.create_table(
        "tier_scheme",
        sa.Column("id", sa.Uuid(), nullable=False),
        _text("key"),
        _json("name"),
        _text("description"),
        _text("kind"),
        _text("feature"),
        _json("tiers"),
        sa.Column("minimum_stay_days", sa.Integer(), nullable=False),
        sa.Column("settled", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        _text("created_by"),
        *(
            sa.Column(
                name, sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
            )
            for name in ("created_at", "updated_at")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tier_scheme")),
        sa.UniqueConstraint("key", name=op.f("uq_tier_scheme_key")),
    )
    op.create_table(
        "tier_standing",
        sa.Column("scheme_id", sa.Uuid(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("standing", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("scheme_id", "part", name=op.f("pk_tier_standing")),
        sa.ForeignKeyConstraint(
            ["scheme_id"], ["tier_scheme.id"], name=op.f("fk_tier_standing_scheme_id_tier_scheme")
        ),
    )


def _create_lists() -> None:
    op.create_table(
        "tier_list",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("scheme_id", sa.Uuid(), nullable=False),
        _text("cause"),
        _text("state"),
        _json("rules"),
        _time("evaluated_at", nullable=True),
        _json("counts"),
        _text("note"),
        _text("made_by"),
        _time("made_at"),
        _text("decided_by", nullable=True),
        _time("decided_at", nullable=True),
        _text("comment"),
        _time("effective_at", nullable=True),
        _text("problem", nullable=True),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tier_list")),
        sa.ForeignKeyConstraint(
            ["scheme_id"], ["tier_scheme.id"], name=op.f("fk_tier_list_scheme_id_tier_scheme")
        ),
    )
    op.create_index("ix_tier_list_scheme_id_id", "tier_list", ["scheme_id", "id"], unique=False)
    op.create_index(
        "uq_tier_list_open",
        "tier_list",
        ["scheme_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('proposed', 'approved')"),
    )
    op.create_table(
        "tier_moves",
        sa.Column("list_id", sa.Uuid(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("moves", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("list_id", "part", name=op.f("pk_tier_moves")),
        sa.ForeignKeyConstraint(["list_id"], ["tier_list.id"], name=op.f("fk_tier_moves_list_id_tier_list")),
    )


def downgrade() -> None:
    for table in ("tier_override", "tier_moves", "tier_list", "tier_standing", "tier_scheme"):
        op.drop_table(table)
