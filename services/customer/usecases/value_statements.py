"""The monthly calculation of value as sets: a chunk of customers in one statement.

`services.customer.domain.value.row_of` says the same of one row; a test holds the two together.
"""

from typing import LiteralString

from services.customer.queries.value_peers import PEER_GROUP

# The factor keeps twenty more places in a division, so that rounding to cents is that of the exact quotient.
CALCULATE: LiteralString = """
WITH term AS MATERIALIZED (
  -- By product and risk level: one look-up a line, not two nested ones.
  SELECT * FROM unnest(%(product)b::text[], %(band)b::text[], %(side)b::text[], %(margin)b::numeric[],
                       %(day_count)b::int[], %(weight)b::numeric[], %(account_cost)b::numeric[],
                       %(loss)b::numeric[])
    AS t(product, band, side, margin, day_count, weight, account_cost, loss)
), fx AS MATERIALIZED (
  SELECT * FROM unnest(%(currency)b::text[], %(fx)b::numeric[]) AS f(currency, rate)
), tariff AS MATERIALIZED (
  SELECT * FROM unnest(%(tariff_cost)b::boolean[], %(tariff_type)b::text[], %(tariff_product)b::text[],
                       %(tariff_field)b::text[], %(tariff_rate)b::numeric[], %(tariff_fixed)b::numeric[],
                       %(tariff_book)b::text[])
    AS r(is_cost, type, product, field, rate, fixed, book_to)
), who AS MATERIALIZED (
  SELECT id, coalesce(risk_level, '') AS band FROM customer WHERE id > %(after)s AND id <= %(upto)s
), stretch AS (
  SELECT h.customer_id, h.account, h.product, h.currency, d.balance,
    least(lead(d.as_of, 1, %(end)s) OVER (PARTITION BY h.customer_id, h.account ORDER BY d.as_of), %(end)s)
      - greatest(d.as_of, %(start)s) AS days
  FROM who JOIN holding h ON h.customer_id = who.id CROSS JOIN LATERAL (
    (SELECT as_of, balance FROM holding_day d
     WHERE d.customer_id = h.customer_id AND d.account = h.account AND d.as_of <= %(start)s
     ORDER BY as_of DESC LIMIT 1)
    UNION ALL
    SELECT as_of, balance FROM holding_day d
    WHERE d.customer_id = h.customer_id AND d.account = h.account
      AND d.as_of > %(start)s AND d.as_of < %(end)s) d
), balance AS (
  SELECT s.customer_id, s.product, sum(s.balance * s.days * fx.rate) AS weighted
  FROM stretch s JOIN fx USING (currency) GROUP BY 1, 2
), kept AS (
  -- Open on some day of the period: since before its end, and not closed before its beginning for good.
  SELECT h.customer_id, h.product, count(*) AS accounts
  FROM who JOIN holding h ON h.customer_id = who.id
  WHERE (h.closed_on IS NULL OR h.closed_on >= %(start)s OR h.closed_on < h.as_of)
    AND (h.opened_on < %(end)s OR EXISTS (
      SELECT 1 FROM holding_day d
      WHERE d.customer_id = h.customer_id AND d.account = h.account AND d.as_of < %(end)s))
  GROUP BY 1, 2
), happened AS (
  SELECT e.customer_id, coalesce(named.product, h.product, r.book_to) AS product, r.is_cost,
    (r.fixed + r.rate * CASE WHEN r.field IS NULL THEN 0
       WHEN e.data ->> r.field ~ '^-?[0-9]{1,16}([.][0-9]{1,8})?$' THEN (e.data ->> r.field)::numeric
       ELSE 0 END) * fx.rate AS amount, r.product AS wanted
  FROM who JOIN customer_event e ON e.customer_id = who.id
    AND e.time >= %(begins)s AND e.time < %(ends)s AND e.seq <= %(seq)s
  JOIN tariff r ON r.type = e.type
  JOIN fx ON fx.currency = coalesce(e.data ->> 'currency', %(own)s)
  LEFT JOIN term named ON named.product = e.data ->> 'product' AND named.band = ''
  LEFT JOIN holding h ON h.customer_id = e.customer_id AND h.account = e.data ->> 'account'
), moved AS (
  SELECT customer_id, product, coalesce(sum(amount) FILTER (WHERE NOT is_cost), 0) AS fees,
    coalesce(sum(amount) FILTER (WHERE is_cost), 0) AS costs
  FROM happened WHERE wanted IS NULL OR wanted = product GROUP BY 1, 2
), line AS (
  SELECT customer_id, product, sum(weighted) AS weighted, sum(accounts)::int AS accounts, sum(fees) AS fees,
    sum(costs) AS costs
  FROM (SELECT customer_id, product, weighted, 0 AS accounts, 0 AS fees, 0 AS costs FROM balance
        UNION ALL SELECT customer_id, product, 0, accounts, 0, 0 FROM kept
        UNION ALL SELECT customer_id, product, 0, 0, fees, costs FROM moved) u
  GROUP BY 1, 2
), average AS (
  SELECT l.customer_id, l.product, l.accounts, l.fees, l.costs, t.side, t.margin, t.day_count, t.weight,
    t.account_cost, t.loss,
    round(l.weighted * 1.00000000000000000000 / %(days)s, 2) AS average_balance
  FROM line l JOIN who ON who.id = l.customer_id JOIN term t ON t.product = l.product AND t.band = who.band
), exposed AS (
  SELECT *, greatest(CASE side WHEN 'liability' THEN -average_balance ELSE average_balance END, 0) AS exposure
  FROM average
), figure AS (
  SELECT x.customer_id, x.product, x.accounts, x.average_balance,
    round(x.average_balance * x.margin * %(days)s * 1.00000000000000000000 / x.day_count, 2) AS ftp_margin,
    round(x.fees, 2) AS fees,
    round(x.exposure * x.loss * %(days)s * 1.00000000000000000000 / %(year)s, 2) AS expected_loss,
    round(x.accounts * x.account_cost + x.costs, 2) AS operating_cost,
    round(x.exposure * x.weight * %(ratio)s, 2) AS capital
  FROM exposed x
), charged AS (
  SELECT *, round(capital * %(hurdle)s * %(days)s * 1.00000000000000000000 / %(year)s, 2) AS capital_charge
  FROM figure
)
INSERT INTO customer_value (customer_id, run_id, product, accounts, average_balance, ftp_margin, fees,
  expected_loss, operating_cost, capital, capital_charge, contribution)
SELECT customer_id, %(run)s, product, accounts, average_balance, ftp_margin, fees, expected_loss,
  operating_cost, capital, capital_charge,
  ftp_margin + fees - expected_loss - operating_cost - capital_charge
FROM charged
"""

NEXT_CHUNK: LiteralString = """
SELECT id, count(*) OVER () FROM (
  SELECT id FROM customer WHERE id > %(after)s ORDER BY id LIMIT %(size)s) c ORDER BY id DESC LIMIT 1
"""

WATERMARK: LiteralString = """
SELECT (SELECT max(seq) FROM customer_event), (SELECT max(measured_at) FROM holding),
  (SELECT count(*) FROM customer)
"""

HELD_CURRENCIES: LiteralString = """
SELECT DISTINCT currency FROM holding
WHERE closed_on IS NULL OR closed_on >= %(start)s OR closed_on < as_of
"""

MOVED_CURRENCIES: LiteralString = """
SELECT DISTINCT e.data ->> 'currency' FROM customer_event e
WHERE e.type = ANY(%(types)b::text[]) AND e.time >= %(begins)s AND e.time < %(ends)s AND e.data ? 'currency'
"""

TOTALS: LiteralString = """
INSERT INTO value_run_total (run_id, org_path, product, customers, average_balance, ftp_margin, fees,
  expected_loss, operating_cost, capital, capital_charge, contribution)
SELECT run_id, org_path, product, customers, average_balance, ftp_margin, fees, expected_loss,
  operating_cost, capital, capital_charge, contribution
FROM branch_value('hq', ARRAY[%(run)s]::uuid[])
"""

# The figures of families by category, and whose peer each is.
_FAMILIES: LiteralString = f"""
WITH own AS MATERIALIZED (
  SELECT coalesce(c.merged_into, c.id) AS id, p.category, sum(v.ftp_margin + v.fees) AS income,
    coalesce(sum(v.average_balance) FILTER (WHERE v.product <> ALL(%(debts)b::text[])), 0) AS aum
  FROM customer_value v JOIN customer c ON c.id = v.customer_id JOIN product p ON p.code = v.product
  WHERE v.run_id = %(run)s GROUP BY 1, 2
), peer AS MATERIALIZED (
  SELECT c.id, {PEER_GROUP} AS peer_group
  FROM (SELECT id, sum(aum) AS aum FROM own GROUP BY 1) a
  JOIN customer c USING (id) JOIN org_unit o ON o.code = c.org_path
  WHERE c.merged_into IS NULL AND c.status <> 'erased'
)"""  # noqa: S608 - both parts are our own text

# Peers without a category count as zero: the benchmark tells what is usual, not what the best have.
BENCHMARKS: LiteralString = f"""
{_FAMILIES}, size AS (
  SELECT peer_group, count(*) AS peers FROM peer GROUP BY 1 HAVING count(*) >= %(minimum)s
)
INSERT INTO value_benchmark (run_id, peer_group, category, peers, income)
SELECT %(run)s, peer_group, k.category, peers,
  percentile_disc(0.75) WITHIN GROUP (ORDER BY coalesce(own.income, 0))
FROM size JOIN peer USING (peer_group) CROSS JOIN (SELECT DISTINCT category FROM own) k
LEFT JOIN own ON own.id = peer.id AND own.category = k.category
GROUP BY peer_group, k.category, peers
"""  # noqa: S608 - both parts are our own text

POTENTIALS: LiteralString = f"""
{_FAMILIES}
INSERT INTO customer_potential (customer_id, run_id, amount)
SELECT peer.id, %(run)s, sum(greatest(b.income - coalesce(own.income, 0), 0))
FROM peer JOIN value_benchmark b ON b.run_id = %(run)s AND b.peer_group = peer.peer_group
LEFT JOIN own ON own.id = peer.id AND own.category = b.category
GROUP BY peer.id
"""  # noqa: S608 - both parts are our own text

# What the newer run changed, lost or added: a row the older run did not have is kept as zeros, so that the
# older run can be told from the newer one and this.
SUPERSEDE: LiteralString = """
WITH older AS (SELECT * FROM customer_value WHERE run_id = %(old)s),
  newer AS (SELECT * FROM customer_value WHERE run_id = %(new)s)
INSERT INTO superseded_value (customer_id, run_id, product, accounts, average_balance, ftp_margin, fees,
  expected_loss, operating_cost, capital, capital_charge, contribution)
SELECT customer_id, %(old)s, product, coalesce(o.accounts, 0), coalesce(o.average_balance, 0),
  coalesce(o.ftp_margin, 0), coalesce(o.fees, 0), coalesce(o.expected_loss, 0), coalesce(o.operating_cost, 0),
  coalesce(o.capital, 0), coalesce(o.capital_charge, 0), coalesce(o.contribution, 0)
FROM older o FULL JOIN newer n USING (customer_id, product)
WHERE (o.accounts, o.average_balance, o.ftp_margin, o.fees, o.expected_loss, o.operating_cost, o.capital,
       o.capital_charge)
  IS DISTINCT FROM (n.accounts, n.average_balance, n.ftp_margin, n.fees, n.expected_loss, n.operating_cost,
                    n.capital, n.capital_charge)
"""

FORGET: LiteralString = "DELETE FROM customer_value WHERE run_id = %(run)s"

FORGET_POTENTIALS: LiteralString = "DELETE FROM customer_potential WHERE run_id = %(run)s"

COUNT: LiteralString = "SELECT count(*) FROM customer_value WHERE run_id = %(run)s"

STATISTICS: LiteralString = "SELECT refresh_value_statistics()"

WHOLE_TABLES: LiteralString = "SELECT set_config('enable_nestloop', 'off', true)"
"""For statements over everything, where temporary results hide from the planner how much that is."""
