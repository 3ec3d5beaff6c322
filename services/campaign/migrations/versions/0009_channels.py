"""Channels that carry messages, their tests, and what the sandbox was given.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "channel",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", postgresql.JSONB(), nullable=False),
        sa.Column("consent", sa.Text(), nullable=False),
        sa.Column("connector", postgresql.JSONB(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=True),
        sa.Column("previous_secret", sa.LargeBinary(), nullable=True),
        sa.Column("previous_secret_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("password", sa.LargeBinary(), nullable=True),
        sa.Column("per_minute", sa.Integer(), nullable=False),
        sa.Column("daily_capacity", sa.Integer(), nullable=False),
        sa.Column("cost", sa.Numeric(20, 2), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="disabled", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint("kind IN ('sms', 'email', 'push', 'im')", name=op.f("ck_channel_kind")),
        sa.CheckConstraint("state IN ('enabled', 'disabled')", name=op.f("ck_channel_state")),
        sa.CheckConstraint(
            "per_minute > 0 AND daily_capacity > 0 AND cost >= 0", name=op.f("ck_channel_positive")
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_channel")),
    )
    op.create_table(
        "channel_test",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["channel"], ["channel.key"], name=op.f("fk_channel_test_channel_channel")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel_test")),
    )
    op.create_index(op.f("ix_channel_test_channel_id"), "channel_test", ["channel", "id"], unique=False)
    op.create_table(
        "sandbox_message",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("length", sa.Integer(), nullable=False),
        sa.Column("submissions", sa.Integer(), server_default="1", nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("receipt", sa.Text(), nullable=True),
        sa.Column("receipt_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["channel"], ["channel.key"], name=op.f("fk_sandbox_message_channel_channel")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sandbox_message")),
    )
    op.create_index(op.f("ix_sandbox_message_channel"), "sandbox_message", ["channel"], unique=False)
    op.create_index(
        "ix_sandbox_message_due",
        "sandbox_message",
        ["receipt_at"],
        unique=False,
        postgresql_where=sa.text("receipt_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_table("sandbox_message")
    op.drop_table("channel_test")
    op.drop_table("channel")
