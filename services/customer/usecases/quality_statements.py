"""Statements on data quality: which files are due, what was found in them, how the day ended."""

from typing import LiteralString

# A file is due when it is new or changed, the rules are others, or its day has come.
_DUE: LiteralString = """(q.customer_id IS NULL OR q.version <> c.version OR q.rules <> %(stamp)s
  OR q.next_check <= %(today)s)"""

# Ids in order, so that a pass over all ends; limited after the condition.
DUE_AFTER: LiteralString = f"""
SELECT c.id FROM customer c LEFT JOIN quality_result q ON q.customer_id = c.id
WHERE c.id > %(after)s AND c.status = 'active' AND c.merged_into IS NULL AND {_DUE}
ORDER BY c.id LIMIT %(size)s
"""  # noqa: S608 - both parts are our own text

CHANGED: LiteralString = f"""
SELECT id, ordinal FROM (
  SELECT c.id, c.ordinal FROM customer c LEFT JOIN quality_result q ON q.customer_id = c.id
  WHERE c.updated_at >= %(since)s AND {_DUE}
    AND ((c.status = 'active' AND c.merged_into IS NULL) OR q.customer_id IS NOT NULL)
  UNION
  SELECT c.id, c.ordinal FROM customer c LEFT JOIN quality_result q ON q.customer_id = c.id
  WHERE c.ordinal > %(ordinal)s AND q.customer_id IS NULL AND c.status = 'active' AND c.merged_into IS NULL
) u ORDER BY ordinal LIMIT %(size)s
"""  # noqa: S608 - as above

EVERY: LiteralString = """
SELECT id FROM customer
WHERE id > %(after)s AND status = 'active' AND merged_into IS NULL ORDER BY id LIMIT %(size)s
"""

STORE: LiteralString = """
INSERT INTO quality_result AS r (customer_id, version, rules, score, completeness, validity, freshness,
  uniqueness, failing, next_check, evaluated_at)
SELECT id, version, %(rules)s, score, completeness, validity, freshness, uniqueness, failing::jsonb,
  next_check, %(now)s
FROM unnest(%(id)b::uuid[], %(version)b::int[], %(score)b::numeric[], %(completeness)b::numeric[],
  %(validity)b::numeric[], %(freshness)b::numeric[], %(uniqueness)b::numeric[], %(failing)b::text[],
  %(next_check)b::date[])
  AS j(id, version, score, completeness, validity, freshness, uniqueness, failing, next_check)
ON CONFLICT (customer_id) DO UPDATE SET
  (version, rules, score, completeness, validity, freshness, uniqueness, failing, next_check, evaluated_at)
  = (EXCLUDED.version, EXCLUDED.rules, EXCLUDED.score, EXCLUDED.completeness, EXCLUDED.validity,
     EXCLUDED.freshness, EXCLUDED.uniqueness, EXCLUDED.failing, EXCLUDED.next_check, EXCLUDED.evaluated_at)
"""

DROP: LiteralString = "DELETE FROM quality_result WHERE customer_id = ANY(%(ids)b::uuid[])"

# Whoever shares a number with these and was not told so yet.
TWINS: LiteralString = """
SELECT DISTINCT o.id FROM customer c JOIN customer o
  ON (o.id_hash = c.id_hash OR o.phone_hash = c.phone_hash) AND o.id <> c.id
WHERE c.id = ANY(%(ids)b::uuid[]) AND o.status = 'active' AND o.merged_into IS NULL
LIMIT 5000
"""

# Whoever was told to share a number and does not any more.
FREED: LiteralString = """
SELECT q.customer_id FROM quality_result q JOIN repeated_marks(ARRAY(
  SELECT customer_id FROM quality_result
  WHERE failing ?| %(id_codes)b::text[] OR failing ?| %(phone_codes)b::text[] LIMIT 20000)) r
  ON r.customer_id = q.customer_id
WHERE (q.failing ?| %(id_codes)b::text[] AND NOT r.id_number)
   OR (q.failing ?| %(phone_codes)b::text[] AND NOT r.phone)
"""

# What was known before of those judged again.
FAILED: LiteralString = """
SELECT customer_id FROM quality_result
WHERE customer_id = ANY(%(ids)b::uuid[]) AND failing ?| %(codes)b::text[]
"""

SNAPSHOT: LiteralString = """
INSERT INTO quality_day AS d (day, org_path, manager, customers, sums)
SELECT %(day)s, c.org_path, coalesce(c.primary_manager, ''), count(*), jsonb_build_object(
  'score', jsonb_build_array(coalesce(sum(q.score), 0), count(q.score)),
  'completeness', jsonb_build_array(coalesce(sum(q.completeness), 0), count(q.completeness)),
  'validity', jsonb_build_array(coalesce(sum(q.validity), 0), count(q.validity)),
  'freshness', jsonb_build_array(coalesce(sum(q.freshness), 0), count(q.freshness)),
  'uniqueness', jsonb_build_array(coalesce(sum(q.uniqueness), 0), count(q.uniqueness)))
FROM quality_result q JOIN customer c ON c.id = q.customer_id
WHERE c.status = 'active' AND c.merged_into IS NULL GROUP BY 2, 3
"""

PURGE: LiteralString = """
DELETE FROM quality_result q USING customer c
WHERE c.id = q.customer_id AND (c.status <> 'active' OR c.merged_into IS NOT NULL)
"""

FORGET_DAY: LiteralString = "DELETE FROM quality_day WHERE day = %(day)s"

NEWEST: LiteralString = "SELECT max(ordinal) FROM customer"

TOTAL: LiteralString = "SELECT count(*) FROM customer WHERE status = 'active' AND merged_into IS NULL"
