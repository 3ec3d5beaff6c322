"""SQL of the search for duplicates.

A statement meets rows that share a key, compares every pair key by key, and keeps the best pair of two
families. Rows are homes: a merged customer's phone still finds who else has it; the pair names the survivor.
"""

_SMALL = 20
"""Up to so many with one key, each is compared with each; of more, the first with all others."""
_MOST = 1000
"""A phone, or a name and birth date, that more have than this tells nobody apart."""

# `met` has pairs of rows (a, b). `same` is null where one of the two has nothing to compare.
_STORE = """
, compared AS (
  SELECT x.id AS a, y.id AS b, coalesce(x.merged_into, x.id) AS file_a,
    coalesce(y.merged_into, y.id) AS file_b, e.evidence,
    1 / (1 + exp(-(%(prior)s::float8 + e.weight))) AS score
  FROM met JOIN customer x ON x.id = met.a JOIN customer y ON y.id = met.b
  CROSS JOIN LATERAL (
    SELECT jsonb_object_agg(v.key, CASE WHEN v.same THEN 'agree' ELSE 'disagree' END) AS evidence,
      sum(CASE WHEN v.same THEN w.agree ELSE w.disagree END) AS weight
    FROM (VALUES ('id_number', x.id_hash = y.id_hash), ('phone', x.phone_hash = y.phone_hash),
                 ('name', x.name_key = y.name_key), ('birth_date', x.birth_date = y.birth_date),
                 ('gender', x.gender = y.gender)) AS v(key, same)
    JOIN unnest(%(keys)b::text[], %(agree)b::float8[], %(disagree)b::float8[])
      AS w(key, agree, disagree) USING (key)
    WHERE v.same IS NOT NULL) AS e
  WHERE x.kind = y.kind AND x.status <> 'erased' AND y.status <> 'erased'
), best AS (
  SELECT DISTINCT ON (1, 2) least(file_a, file_b) AS first_id, greatest(file_a, file_b) AS second_id, score,
    evidence
  FROM compared
  WHERE file_a <> file_b AND score >= %(least)s::float8 AND NOT EXISTS (
    SELECT FROM duplicate d WHERE d.state = 'dismissed' AND (d.first_id, d.second_id) IN (
      (least(a, b), greatest(a, b)), (least(file_a, file_b), greatest(file_a, file_b))))
  ORDER BY 1, 2, score DESC
), stored AS (
  INSERT INTO duplicate AS d (first_id, second_id, score, evidence, found_at)
  SELECT first_id, second_id, score, evidence, %(now)s FROM best ORDER BY first_id, second_id
  ON CONFLICT (first_id, second_id) DO UPDATE
  SET score = EXCLUDED.score, evidence = EXCLUDED.evidence, found_at = EXCLUDED.found_at
  WHERE d.state = 'open' AND (d.found_at < EXCLUDED.found_at OR d.score < EXCLUDED.score)
  RETURNING 1
)
SELECT count(*) FROM stored
"""

_FIND_OF_MET = """
WITH mine AS MATERIALIZED (
  SELECT id, id_hash, phone_hash, name_key, birth_date FROM customer
  WHERE id = ANY(%(ids)b::uuid[]) OR merged_into = ANY(%(ids)b::uuid[])
), met AS (
  SELECT x.id AS a, y.id AS b FROM mine x CROSS JOIN LATERAL (
    SELECT id FROM customer c WHERE c.id_hash = x.id_hash AND c.id <> x.id LIMIT 100) y
  UNION
  SELECT x.id, y.id FROM mine x CROSS JOIN LATERAL (
    SELECT id FROM customer c WHERE c.phone_hash = x.phone_hash AND c.id <> x.id LIMIT 100) y
  UNION
  SELECT x.id, y.id FROM mine x CROSS JOIN LATERAL (
    SELECT id FROM customer c
    WHERE c.name_key = x.name_key AND c.birth_date = x.birth_date AND c.id <> x.id LIMIT 100) y
)
"""

_BLOCKS = """
WITH keyed AS (
  SELECT id, {key} AS key, row_number() OVER (PARTITION BY {key} ORDER BY id) AS n,
    count(*) OVER (PARTITION BY {key}) AS size
  FROM customer WHERE {present} AND status <> 'erased'
), shared AS MATERIALIZED (
  SELECT id, key, n, size FROM keyed WHERE size > 1 AND size <= {most}
), met AS (
  SELECT x.id AS a, y.id AS b FROM shared x JOIN shared y ON x.key = y.key AND x.n < y.n
  WHERE x.size <= {small} OR x.n = 1
)
"""


def _all_with(key: str, present: str, most: int) -> str:
    return _BLOCKS.format(key=key, present=present, most=most, small=_SMALL) + _STORE


FIND_OF = _FIND_OF_MET + _STORE

FIND_ALL = {
    "id_number": _all_with("id_hash", "id_hash IS NOT NULL", 1_000_000),
    "phone": _all_with("phone_hash", "phone_hash IS NOT NULL", _MOST),
    "name and birth date": _all_with(
        "(name_key, birth_date)", "name_key IS NOT NULL AND birth_date IS NOT NULL", _MOST
    ),
}

# Pairs are locked in the order in which they are stored, so that two searches never wait in a ring.
FORGET_OF = """
DELETE FROM duplicate WHERE id IN (
  SELECT id FROM duplicate
  WHERE state = 'open' AND (first_id = ANY(%(ids)b::uuid[]) OR second_id = ANY(%(ids)b::uuid[]))
  ORDER BY first_id, second_id FOR UPDATE)
"""

FORGET_ALL = """
WITH gone AS (
  DELETE FROM duplicate WHERE id IN (
    SELECT id FROM duplicate WHERE state = 'open' AND found_at < %(now)s
    ORDER BY first_id, second_id FOR UPDATE)
  RETURNING 1)
SELECT count(*) FROM gone
"""

COUNT_OPEN = """
SELECT count(*) FROM duplicate d JOIN customer x ON x.id = d.first_id JOIN customer y ON y.id = d.second_id
WHERE d.state = 'open' AND x.merged_into IS NULL AND y.merged_into IS NULL
"""
