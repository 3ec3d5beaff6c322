"""Approval of price lists; visits for service, which count as contacts; referrals of those who left.

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

# As scripts and materials: a version stays as it was written, and somebody else than its author decides.
STAYS_WRITTEN = """
DROP TRIGGER price_list_append_only ON price_list;
CREATE TRIGGER price_list_stays_written BEFORE INSERT OR UPDATE OR DELETE ON price_list
  FOR EACH ROW EXECUTE FUNCTION check_wording()
"""

# The release before goes by the newest version, whoever approved it: what nobody did must not be that.
AS_STRICT_AS_BEFORE = """
DROP TRIGGER price_list_stays_written ON price_list;
DELETE FROM price_list WHERE state <> 'approved';
CREATE TRIGGER price_list_append_only BEFORE UPDATE OR DELETE ON price_list
  FOR EACH ROW EXECUTE FUNCTION refuse_rewrite()
"""

COUNT_VISITS = """
INSERT INTO outside_contact (id, customer_id, at)
SELECT v.id, v.customer_id, v.at FROM visit v
WHERE v.state = 'made' AND NOT EXISTS (SELECT FROM erased_customer e WHERE e.id = v.customer_id)
"""


def upgrade() -> None:
    approve_prices()
    op.add_column(
        "visit", sa.Column("for_service", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.execute(COUNT_VISITS)
    op.add_column("referral", sa.Column("taken_from", sa.Text(), nullable=True))


def approve_prices() -> None:
    # Quotes are priced by what stands there already, and go on being so.
    op.add_column("price_list", sa.Column("state", sa.Text(), server_default="approved", nullable=False))
    op.alter_column("price_list", "state", server_default="in_review")
    op.add_column("price_list", sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True))
    for name in ("decided_by", "comment"):
        op.add_column("price_list", sa.Column(name, sa.Text(), nullable=True))
    op.create_check_constraint(
        op.f("ck_price_list_state"), "price_list", "state IN ('in_review', 'approved', 'rejected')"
    )
    op.create_check_constraint(op.f("ck_price_list_two_people"), "price_list", "decided_by <> created_by")
    op.execute(STAYS_WRITTEN)


def downgrade() -> None:
    op.drop_column("referral", "taken_from")
    op.execute("DELETE FROM outside_contact o USING visit v WHERE v.id = o.id")
    op.drop_column("visit", "for_service")
    op.execute(AS_STRICT_AS_BEFORE)
    for name in ("two_people", "state"):
        op.drop_constraint(op.f(f"ck_price_list_{name}"), "price_list", type_="check")
    for name in ("comment", "decided_by", "decided_at", "state"):
        op.drop_column("price_list", name)
