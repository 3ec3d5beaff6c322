"""SQL of the customer import: each statement works on the columns of one chunk."""

# A file repeats what its source holds, which is no new word of the customer: what counts is whether the
# source says something else than it said last. So a refusal at the branch stands when the file comes again.
EXISTING = """
SELECT (i.n - 1)::int, c.id, c.pii_digest, coalesce((
    SELECT jsonb_object_agg(w.channel, w.granted) FROM (
      SELECT DISTINCT ON (e.channel) e.channel, e.granted FROM consent_entry e
      WHERE e.customer_id = c.id AND e.purpose = 'marketing' AND e.source = i.source
      ORDER BY e.channel, e.changed_at DESC, e.granted) w), '{}'), k.wrapped_key
FROM unnest(%(source)b::text[], %(source_id)b::text[]) WITH ORDINALITY AS i(source, source_id, n)
JOIN source_identity s USING (source, source_id) JOIN customer c ON c.id = s.customer_id
LEFT JOIN customer_key k ON k.customer_id = c.id
ORDER BY c.id FOR NO KEY UPDATE OF c
"""

TAKEN = "SELECT source, source_id FROM taken_identities(%(source)b::text[], %(source_id)b::text[])"

INSERT_CUSTOMERS = """
INSERT INTO customer (id, kind, org_path, primary_manager, backup_manager, gender, birth_date, occupation,
  industry, risk_level, risk_valid_until, risk_assessed_at, customer_since, pii, pii_digest, id_hash,
  phone_hash, name_key, name_grams, match_version, consents, created_at, updated_at)
SELECT id, kind, org, primary_manager, backup_manager, gender, birth_date::date, occupation, industry,
  risk_level, risk_valid_until::date, CASE WHEN risk_level IS NOT NULL THEN %(at)s::timestamptz END,
  customer_since::date, pii, digest, id_hash, phone_hash, name_key, name_grams::bigint[],
  %(match_version)s, consents::jsonb, %(at)s, %(at)s
FROM unnest(%(id)b::uuid[], %(kind)b::text[], %(org)b::text[], %(primary_manager)b::text[],
  %(backup_manager)b::text[], %(gender)b::text[], %(birth_date)b::text[], %(occupation)b::text[],
  %(industry)b::text[], %(risk_level)b::text[], %(risk_valid_until)b::text[], %(customer_since)b::text[],
  %(pii)b::bytea[], %(digest)b::bytea[], %(id_hash)b::bytea[], %(phone_hash)b::bytea[],
  %(name_key)b::bigint[], %(name_grams)b::text[], %(consents)b::text[]) WITH ORDINALITY
  AS i(id, kind, org, primary_manager, backup_manager, gender, birth_date, occupation, industry, risk_level,
       risk_valid_until, customer_since, pii, digest, id_hash, phone_hash, name_key, name_grams, consents, n)
ORDER BY n
"""

INSERT_KEYS = """
INSERT INTO customer_key (customer_id, wrapped_key)
SELECT * FROM unnest(%(id)b::uuid[], %(wrapped_key)b::bytea[])
"""

# Another import may have brought the same identity between the look-up and here.
INSERT_IDENTITIES = """
INSERT INTO source_identity (source, source_id, customer_id, ordinal)
SELECT source, source_id, id, ordinal
FROM unnest(%(source)b::text[], %(source_id)b::text[], %(id)b::uuid[]) AS i(source, source_id, id)
JOIN customer USING (id) ORDER BY source, source_id
ON CONFLICT (source, source_id) DO NOTHING RETURNING customer_id
"""

DELETE_NAMELESS = """
WITH keys AS (DELETE FROM customer_key WHERE customer_id = ANY(%(id)b::uuid[]) RETURNING customer_id)
DELETE FROM customer WHERE id = ANY(%(id)b::uuid[])
"""

UPDATE_CUSTOMERS = """
UPDATE customer c SET kind = i.kind, org_path = i.org, primary_manager = i.primary_manager,
  backup_manager = i.backup_manager, gender = i.gender, birth_date = i.birth_date, occupation = i.occupation,
  industry = i.industry, risk_level = i.risk_level, risk_valid_until = i.risk_valid_until,
  risk_assessed_at = CASE WHEN i.risk_level IS DISTINCT FROM c.risk_level THEN %(at)s
                          ELSE c.risk_assessed_at END,
  customer_since = i.customer_since
FROM (SELECT id, kind, org, primary_manager, backup_manager, gender, birth_date::date, occupation, industry,
             risk_level, risk_valid_until::date, customer_since::date
      FROM unnest(%(id)b::uuid[], %(kind)b::text[], %(org)b::text[], %(primary_manager)b::text[],
        %(backup_manager)b::text[], %(gender)b::text[], %(birth_date)b::text[], %(occupation)b::text[],
        %(industry)b::text[], %(risk_level)b::text[], %(risk_valid_until)b::text[],
        %(customer_since)b::text[])
        AS u(id, kind, org, primary_manager, backup_manager, gender, birth_date, occupation, industry,
        risk_level,
             risk_valid_until, customer_since)) AS i
WHERE c.id = i.id
  AND (c.kind, c.org_path, c.primary_manager, c.backup_manager, c.gender, c.birth_date, c.occupation,
       c.industry,
       c.risk_level, c.risk_valid_until, c.customer_since)
   IS DISTINCT FROM (i.kind, i.org, i.primary_manager, i.backup_manager, i.gender, i.birth_date, i.occupation,
       i.industry, i.risk_level, i.risk_valid_until, i.customer_since)
RETURNING c.id
"""

UPDATE_SECRETS = """
UPDATE customer c SET pii = i.pii, pii_digest = i.digest, id_hash = i.id_hash, phone_hash = i.phone_hash,
  name_key = i.name_key, name_grams = i.name_grams::bigint[], match_version = %(match_version)s
FROM unnest(%(id)b::uuid[], %(pii)b::bytea[], %(digest)b::bytea[], %(id_hash)b::bytea[],
            %(phone_hash)b::bytea[], %(name_key)b::bigint[], %(name_grams)b::text[])
  AS i(id, pii, digest, id_hash, phone_hash, name_key, name_grams)
WHERE c.id = i.id
"""

# Whoever was merged stays with the survivor's branch and managers.
FOLLOW_SURVIVORS = """
UPDATE customer c SET org_path = s.org_path, primary_manager = s.primary_manager,
  backup_manager = s.backup_manager
FROM customer s
WHERE s.id = c.merged_into AND c.id IN (
    SELECT unnest(%(id)b::uuid[])
    UNION ALL SELECT m.id FROM customer m WHERE m.merged_into = ANY(%(id)b::uuid[]))
  AND (c.org_path, c.primary_manager, c.backup_manager)
    IS DISTINCT FROM (s.org_path, s.primary_manager, s.backup_manager)
RETURNING c.id
"""
