"""The one statement behind the 360° view."""

# JSON is built where the rows are and reaches the response as it is; only holdings are parsed, for totals.
# Facts are those of the whole family: a customer and all merged into it. Of each member an index gives the
# latest, so that a long history costs no more than a short one.
OVERVIEW = """
WITH family AS MATERIALIZED (
  SELECT id FROM customer WHERE id = %(customer)s
  UNION ALL SELECT id FROM customer WHERE merged_into = %(customer)s
), contact AS MATERIALIZED (
  SELECT DISTINCT ON (contact_id) contact_id, campaign_id, state, disposition, recorded_at
  FROM customer_contact WHERE customer_id IN (SELECT id FROM family) ORDER BY contact_id, version DESC
)
SELECT c.pii, k.wrapped_key, c.version, c.birth_date, c.risk_valid_until,
  json_build_object(
    'gender', c.gender, 'birth_date', c.birth_date, 'occupation', c.occupation, 'industry', c.industry,
    'risk_level', c.risk_level, 'risk_valid_until', c.risk_valid_until, 'customer_since', c.customer_since,
    'id', c.id, 'ordinal', c.ordinal, 'version', c.version, 'kind', c.kind, 'status', c.status,
    'merged_into', c.merged_into,
    'identities', (SELECT coalesce(json_agg(json_build_object('source', s.source, 'source_id', s.source_id)
                                            ORDER BY s.source, s.source_id), '[]')
                   FROM source_identity s WHERE s.customer_id IN (SELECT id FROM family)),
    'org', c.org_path, 'primary_manager', c.primary_manager, 'backup_manager', c.backup_manager,
    'consents', c.consents, 'masked', true, 'created_at', c.created_at, 'updated_at', c.updated_at)::text,
  json_build_object('zh', o.name_zh, 'en', o.name_en)::text, pm.name, bm.name,
  (SELECT coalesce(json_agg(h.item), '[]')::text FROM (
     SELECT json_build_object(
       'account', h.account, 'product', h.product,
       'product_name', json_build_object('zh', p.name_zh, 'en', p.name_en),
       'category', p.category, 'balance', h.balance::text, 'currency', h.currency, 'as_of', h.as_of,
       'opened_on', h.opened_on, 'matures_on', h.matures_on,
       'closed_on', CASE WHEN h.closed_on >= h.as_of THEN h.closed_on END) AS item
     FROM holding h JOIN product p ON p.code = h.product WHERE h.customer_id IN (SELECT id FROM family)
     ORDER BY abs(h.balance) DESC, h.account, h.customer_id LIMIT 100) h),
  (SELECT coalesce(json_agg(e.item), '[]')::text FROM (
     SELECT json_build_object(
       'id', e.source || '/' || e.event_id, 'time', e.time, 'kind', 'event', 'type', e.type,
       'source', e.source,
       'data', coalesce(e.data || e.private, e.data),
       'sealed', CASE WHEN e.sealed IS NOT NULL THEN json_build_array(
         e.customer_id, encode(ek.wrapped_key, 'base64'), encode(e.sealed, 'base64')) END) AS item
     FROM family f CROSS JOIN LATERAL (
       SELECT * FROM customer_event WHERE customer_id = f.id ORDER BY time DESC, seq DESC LIMIT 20) e
     LEFT JOIN customer_key ek ON ek.customer_id = e.customer_id
     ORDER BY e.time DESC, e.seq DESC LIMIT 20) e),
  (SELECT coalesce(json_agg(x.item), '[]')::text FROM (
     SELECT json_build_object('contact_id', t.contact_id, 'campaign_id', t.campaign_id, 'state', t.state,
       'disposition', t.disposition, 'time', t.recorded_at) AS item
     FROM contact t ORDER BY t.recorded_at DESC LIMIT 20) x),
  json_build_object(
    'branches', (SELECT json_agg(json_build_object('org', b.org_path, 'role', b.role, 'share', b.share::text)
                                 ORDER BY b.role DESC, b.org_path)
                 FROM customer_branch b WHERE b.customer_id = c.id AND b.valid_from <= %(today)s
                   AND coalesce(b.valid_to > %(today)s, true)),
    'value', (SELECT json_build_object(
                'model', r.model, 'month', to_char(r.month, 'YYYY-MM'), 'currency', r.currency,
                'contribution', sum(v.contribution)::text, 'average_balance', sum(v.average_balance)::text)
              FROM (SELECT * FROM value_run WHERE state = 'current'
                    ORDER BY month DESC, finished_at DESC LIMIT 1) r
              JOIN customer_value v ON v.run_id = r.id AND v.customer_id IN (SELECT id FROM family)
              GROUP BY r.model, r.month, r.currency),
    'quality_score', (SELECT q.score::text FROM quality_result q WHERE q.customer_id = c.id),
    'relations', (SELECT coalesce(json_object_agg(kind, n), '{}') FROM (
                    SELECT kind, count(*) AS n FROM (
                      SELECT id, kind, valid_from, valid_to FROM relationship
                      WHERE from_id IN (SELECT id FROM family)
                      UNION SELECT id, kind, valid_from, valid_to FROM relationship
                      WHERE to_id IN (SELECT id FROM family)) edge
                    WHERE valid_from <= %(today)s AND coalesce(valid_to > %(today)s, true)
                    GROUP BY kind) counted),
    'open_tasks', (SELECT count(*) FROM contact WHERE state IN ('assigned', 'started', 'call_back')),
    'open_needs', (SELECT count(*) FROM need_note
                   WHERE customer_id IN (SELECT id FROM family) AND status = 'open'),
    'open_complaints', (SELECT count(*) FROM complaint p
                        WHERE p.customer_id IN (SELECT id FROM family) AND p.kind = 'complaint'
                          AND p.filed_at IS NOT NULL AND coalesce(p.resolved_at < p.filed_at, true)
                          AND NOT EXISTS (SELECT 1 FROM complaint b WHERE b.customer_id = p.customer_id
                            AND b.filed_at IS NULL AND b.resolved_at >= p.filed_at
                            AND b.reference IN ('', chr(31) || coalesce(p.category, '')))),
    'last_contact_at', greatest(
      (SELECT max(recorded_at) FROM contact WHERE state = 'done'),
      (SELECT max(at) FROM interaction WHERE customer_id IN (SELECT id FROM family))))::text
FROM customer c
LEFT JOIN customer_key k ON k.customer_id = c.id
JOIN org_unit o ON o.code = c.org_path
LEFT JOIN staff pm ON pm.code = c.primary_manager
LEFT JOIN staff bm ON bm.code = c.backup_manager
WHERE c.id = %(customer)s
"""
