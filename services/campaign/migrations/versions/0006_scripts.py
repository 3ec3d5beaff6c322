"""Scripts and materials.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# A version stays as it was written; what is decided on it only moves forward, by somebody else than its author.
STAYS_WRITTEN = """
CREATE FUNCTION check_wording() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE decision text[] := '{state,decided_at,decided_by,comment,retired_at,retired_by}';
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.state <> 'in_review' THEN
      RAISE EXCEPTION 'a % begins in review', TG_TABLE_NAME USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
  END IF;
  IF TG_OP = 'DELETE' OR to_jsonb(NEW) - decision IS DISTINCT FROM to_jsonb(OLD) - decision THEN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
  END IF;
  IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN
     (('in_review', 'approved'), ('in_review', 'rejected'), ('approved', 'retired')) THEN
    RAISE EXCEPTION 'a % does not become %', OLD.state, NEW.state USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.state IN ('approved', 'rejected') AND OLD.state = 'in_review'
     AND (NEW.decided_by IS NULL OR NEW.decided_by = OLD.created_by) THEN
    RAISE EXCEPTION 'whoever wrote it does not decide on it' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
DROP TRIGGER script_append_only ON script;
CREATE TRIGGER script_stays_written BEFORE INSERT OR UPDATE OR DELETE ON script
  FOR EACH ROW EXECUTE FUNCTION check_wording();
CREATE TRIGGER material_stays_written BEFORE INSERT OR UPDATE OR DELETE ON material
  FOR EACH ROW EXECUTE FUNCTION check_wording();
CREATE TRIGGER compliance_list_append_only BEFORE UPDATE OR DELETE ON compliance_list
  FOR EACH ROW EXECUTE FUNCTION refuse_rewrite()
"""

AS_STRICT_AS_BEFORE = """
DROP TRIGGER script_stays_written ON script;
CREATE TRIGGER script_append_only BEFORE UPDATE OR DELETE ON script
  FOR EACH ROW EXECUTE FUNCTION refuse_rewrite()
"""

STATES = "state IN ('in_review', 'approved', 'rejected', 'retired')"


def decided() -> list[sa.Column[object]]:
    return [
        sa.Column("state", sa.Text(), server_default="in_review", nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retired_by", sa.Text(), nullable=True),
    ]


def texts(name: str) -> sa.Column[object]:
    return sa.Column(name, postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False)


def upgrade() -> None:
    # What stands there was approved with the campaigns that use it, and goes on being used.
    op.add_column("script", sa.Column("state", sa.Text(), server_default="approved", nullable=False))
    op.alter_column("script", "state", server_default="in_review")
    for column in decided()[1:]:
        op.add_column("script", column)
    op.add_column("script", texts("products"))
    op.add_column(
        "script", sa.Column("personalised", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.create_check_constraint(op.f("ck_script_state"), "script", STATES)
    op.create_check_constraint(op.f("ck_script_two_people"), "script", "decided_by <> created_by")
    op.add_column("campaign_arm", texts("materials"))
    op.add_column("attempt", sa.Column("path", postgresql.JSONB(), nullable=True))
    op.create_table(
        "material",
        *decided(),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", postgresql.JSONB(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        texts("products"),
        sa.Column("body", postgresql.JSONB(), nullable=True),
        sa.Column("file", postgresql.JSONB(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.CheckConstraint(STATES, name=op.f("ck_material_state")),
        sa.CheckConstraint("decided_by <> created_by", name=op.f("ck_material_two_people")),
        sa.CheckConstraint(
            "(kind = 'file') = (file IS NOT NULL) AND (kind <> 'file') = (body IS NOT NULL)",
            name=op.f("ck_material_kind"),
        ),
        sa.PrimaryKeyConstraint("key", "version", name=op.f("pk_material")),
    )
    op.create_table(
        "compliance_list",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", postgresql.JSONB(), nullable=False),
        sa.Column("words", postgresql.JSONB(), nullable=False),
        sa.Column("channels", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("products", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", "version", name=op.f("pk_compliance_list")),
    )
    op.execute(STAYS_WRITTEN)


def downgrade() -> None:
    op.execute(AS_STRICT_AS_BEFORE)
    for table in ("compliance_list", "material"):
        op.drop_table(table)
    op.execute("DROP FUNCTION check_wording()")
    op.drop_column("attempt", "path")
    op.drop_column("campaign_arm", "materials")
    for name in ("two_people", "state"):
        op.drop_constraint(op.f(f"ck_script_{name}"), "script", type_="check")
    for name in ("personalised", "products", *(column.name for column in decided())):
        op.drop_column("script", name)
