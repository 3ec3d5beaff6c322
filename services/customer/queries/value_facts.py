"""Sums of customers by month of the current calculations, as other services get them.

One row a home and run. Potential without figures: all the family's figures are those of merged homes.
"""

from typing import LiteralString

MONTHS: LiteralString = """
SELECT customer_id, run_id, coalesce(t.products, 0) AS products, coalesce(t.contribution, 0) AS contribution,
  coalesce(t.income, 0) AS income, coalesce(t.net_income, 0) AS net_income,
  coalesce(t.capital, 0) AS capital, p.amount AS potential
FROM (
  SELECT customer_id, run_id, count(*)::int AS products, sum(contribution) AS contribution,
    sum(ftp_margin + fees) AS income, sum(ftp_margin + fees - expected_loss - operating_cost) AS net_income,
    sum(capital) AS capital
  FROM customer_value WHERE {runs} GROUP BY 1, 2
) t FULL JOIN (
  SELECT customer_id, run_id, amount FROM customer_potential WHERE {runs}
) p USING (customer_id, run_id)
"""
"""`{runs}` says which; `CAPITAL_YEARS` and `RAROC` speak of it as `v` beside the run `r`."""

CAPITAL_YEARS: LiteralString = "round(v.capital * r.days / r.day_count, 6)"
RAROC: LiteralString = "round(v.net_income / nullif(v.capital * r.days / r.day_count, 0), 6)"

_CURRENT: LiteralString = MONTHS.format(runs="run_id IN (SELECT id FROM value_run WHERE state = 'current')")

EXPORTED: LiteralString = f"""
SELECT coalesce(s.id, c.id), coalesce(s.ordinal, c.ordinal), r.model, r.month, r.id, coalesce(r.edition, 0),
  r.currency, v.products, v.contribution, v.income, v.net_income, {CAPITAL_YEARS}, {RAROC}, v.potential,
  CASE WHEN s.id IS NOT NULL THEN c.id END, CASE WHEN s.id IS NOT NULL THEN c.ordinal END
FROM ({_CURRENT}) v JOIN value_run r ON r.id = v.run_id
JOIN customer c ON c.id = v.customer_id AND c.status <> 'erased' LEFT JOIN customer s ON s.id = c.merged_into
"""  # noqa: S608 - put together from constants
"""The data set `values`; of a calculation made before editions were counted the edition is 0."""
