"""When a contact began.

Revision ID: 0022
Revises: 0021
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("task", sa.Column("begun_at", sa.DateTime(timezone=True)))
    # When exactly, nobody wrote down.
    op.execute("UPDATE task SET begun_at = clock_timestamp() WHERE state = 'started'")


def downgrade() -> None:
    op.drop_column("task", "begun_at")
