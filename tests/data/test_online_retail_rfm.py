"""Online Retail by recency, frequency and money: a year of purchases, cancellations left out."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pytest

from services.segmentation.domain.rfm import SEGMENTS, rfm, score

_PURCHASES = """
SELECT date_diff('day', max(InvoiceDate)::DATE, DATE '2011-12-10')::DOUBLE AS recency,
  count(DISTINCT InvoiceNo)::DOUBLE AS frequency, sum(Quantity * UnitPrice) AS monetary
FROM read_csv($file, types = {'InvoiceNo': 'VARCHAR', 'StockCode': 'VARCHAR', 'InvoiceDate': 'TIMESTAMP',
  'Quantity': 'INTEGER', 'UnitPrice': 'DOUBLE', 'CustomerID': 'INTEGER'})
WHERE CustomerID IS NOT NULL AND Quantity > 0 AND InvoiceNo NOT LIKE 'C%' GROUP BY CustomerID ORDER BY CustomerID
"""


def test_a_year_of_buyers(data_sets: Path, record_property: Callable[[str, object], None]) -> None:
    file = data_sets / "online_retail" / "online_retail.csv.gz"
    with duckdb.connect() as cursor:
        columns = cursor.execute(_PURCHASES, {"file": str(file)}).fetchnumpy()
    days, orders, money = (np.asarray(columns[name]) for name in ("recency", "frequency", "monetary"))
    assert (len(days), int(orders.sum())) == (4_339, 18_536)
    assert money.sum() == pytest.approx(8_911_407.90, abs=0.01)
    scales, found = rfm(days, orders, money)
    shares = {}
    for index, segment in enumerate(SEGMENTS):
        inside = found.segment == index
        shares[segment.key] = float(money[inside].sum() / money.sum())
        means = [np.mean(column[inside]) if inside.any() else 0.0 for column in (days, orders, money)]
        share = f"{inside.sum()} buyers, {shares[segment.key]:.1%} of sales"
        shown = "{}; {:.0f} days, {:.1f} orders, {:,.0f} GBP".format(share, *means)
        record_property(f"Online Retail, {segment.en}", shown)
    assert np.bincount(found.monetary)[1:].tolist() == [868, 868, 868, 868, 867]
    assert np.abs(np.bincount(found.recency)[1:] / len(days) - 0.2).max() < 0.02
    assert (found.frequency[orders == 1] == 1).all()
    assert max(shares, key=lambda key: shares[key]) == "champions"
    assert shares["champions"] > 0.5
    again = score(scales, days[::-1], orders[::-1], money[::-1])
    assert np.array_equal(again.code[::-1], found.code)
