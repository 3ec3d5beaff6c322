"""Private event properties sealed, quarantine of refused events, every version of an event type.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from shared.ddl import enable_org_rls

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_JSON = postgresql.JSONB(astext_type=sa.Text())
_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    for table in ("customer_event", "parked_event"):
        op.add_column(table, sa.Column("sealed", sa.LargeBinary(), nullable=True))
        op.add_column(table, sa.Column("schema_version", sa.Integer(), nullable=True))
        # Finds what an earlier release left unsealed; empty, and free, once the sealing is done.
        op.create_index(
            f"ix_{table}_unsealed",
            table,
            ["seq"] if table == "customer_event" else ["source", "event_id"],
            postgresql_where=sa.text("private IS NOT NULL"),
        )
    op.add_column(
        "event_type", sa.Column("compatibility", sa.Text(), server_default="backward", nullable=False)
    )
    op.create_table(
        "event_type_version",
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("data_schema", _JSON, nullable=False),
        sa.Column("registered_at", _INSTANT, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("registered_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["type"], ["event_type.type"], name=op.f("fk_event_type_version_type")),
        sa.PrimaryKeyConstraint("type", "version", name=op.f("pk_event_type_version")),
    )
    op.execute(
        "INSERT INTO event_type_version (type, version, data_schema, registered_by)"
        " SELECT type, version, data_schema, 'system' FROM event_type"
    )
    _create_quarantine()


def _create_quarantine() -> None:
    op.create_table(
        "quarantined_event",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("org_path", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("event_id", sa.Text(), nullable=True),
        sa.Column("type", sa.Text(), nullable=True),
        sa.Column("subject_hash", sa.LargeBinary(), nullable=True),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("errors", _JSON, nullable=False),
        sa.Column("seen", sa.Integer(), server_default="1", nullable=False),
        sa.Column("received_at", _INSTANT, nullable=False),
        sa.Column("last_seen_at", _INSTANT, nullable=False),
        sa.Column("expires_at", _INSTANT, nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("closed_at", _INSTANT, nullable=True),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.Column("closed_because", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantined_event")),
        sa.UniqueConstraint(
            "content_hash", "org_path", name=op.f("uq_quarantined_event_content_hash_org_path")
        ),
    )
    op.create_index(
        "ix_quarantined_event_open_key",
        "quarantined_event",
        ["source", "event_id"],
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_index("ix_quarantined_event_expires_at", "quarantined_event", ["expires_at"])
    op.create_index("ix_quarantined_event_subject_hash", "quarantined_event", ["subject_hash"])
    enable_org_rls("quarantined_event")


def downgrade() -> None:
    op.drop_table("quarantined_event")
    op.drop_table("event_type_version")
    op.drop_column("event_type", "compatibility")
    for table in ("customer_event", "parked_event"):
        op.drop_index(f"ix_{table}_unsealed", table)
        op.drop_column(table, "schema_version")
        op.drop_column(table, "sealed")
