"""B2: a full pass over 50 live segments, against SELECTs with 50 boolean columns written by hand.

The pass reads customers, holdings and events, makes the bitmaps and their differences. One reference
computes the same features from the same tables, the other finds them ready in a table.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

from pyroaring import BitMap

from benchmarks.figure import at_most
from benchmarks.workplace import Workplace
from services.segmentation.domain.definitions import stored_rule
from services.segmentation.domain.feature_catalogue import BUILT_IN
from services.segmentation.domain.rules.compiler import Moment
from services.segmentation.domain.rules.tree import Rule
from services.segmentation.store.store import Store
from services.segmentation.usecases.passes import EVERYBODY, evaluate_rules

EVENTS_A_CUSTOMER = 20
TURNS = 3
TARGET = 2.0
MOMENT = Moment(datetime(2026, 11, 21, 4, tzinfo=UTC), ZoneInfo("Asia/Shanghai"))

_CUSTOMERS = """
INSERT INTO customer BY NAME SELECT i::INTEGER AS ordinal, uuid() AS customer_id, 1 AS version,
  CASE WHEN i % 10 = 0 THEN 'company' ELSE 'person' END AS kind, 'active' AS status,
  'hq.b' || (i % 50) AS org,
  CASE WHEN random() < 0.5 THEN 'F' ELSE 'M' END AS gender,
  DATE '1940-01-01' + (random() * 25000)::INTEGER AS birth_date,
  DATE '2010-01-01' + (random() * 6000)::INTEGER AS customer_since FROM range(1, $size + 1) AS t(i)
"""
_HOLDINGS = """
INSERT INTO holding_latest BY NAME SELECT 1 + (i % $size)::INTEGER AS ordinal, ordinal AS home,
  'a' || i AS account,
  'p' || (i // $size * 3 + i % 3) AS product,
  ['demand', 'wealth', 'loan', 'time_deposit', 'fund', 'insurance'][1 + ((i // $size) * 3 + i % 3)::INTEGER]
    AS category, (random() * 100000)::DECIMAL(20, 2) AS balance, 'CNY' AS currency,
  DATE '2026-11-20' AS as_of, false AS closed FROM range(0, 2 * $size) AS t(i)
"""
_EVENTS = """
INSERT INTO event BY NAME SELECT *, ordinal AS home FROM (
  SELECT i AS seq, 1 + (random() * ($size - 1))::INTEGER AS ordinal,
  ['transaction.posted', 'transaction.posted', 'login', 'card.spent'][1 + (i % 4)::INTEGER] AS type,
  $now::TIMESTAMP - to_seconds((random() * 365 * 86400)::INTEGER) AS time, 'core' AS source,
  'e' || i AS event_id, (random() * 1000)::DECIMAL(20, 2) AS amount,
  CASE WHEN random() < 0.5 THEN 'in' ELSE 'out' END AS direction, 'mobile' AS channel, '{}'::JSON AS data
FROM range(0, $size * $each) AS t(i)) ORDER BY time
"""
BY_HAND = """
WITH h AS (SELECT ordinal, sum(balance) FILTER (category <> 'loan') AS aum,
    sum(balance) FILTER (category IN ('demand', 'time_deposit', 'payroll')) AS deposit_balance,
    sum(balance) FILTER (category IN ('wealth', 'fund', 'insurance')) AS wealth_balance,
    count(DISTINCT product) AS product_count FROM holding_latest WHERE NOT closed GROUP BY ordinal),
  e AS (SELECT ordinal, count(*) FILTER (type = 'transaction.posted') AS txn_count_30d,
    count(*) FILTER (type = 'login') AS login_count_30d,
    sum(amount) FILTER (type = 'card.spent') AS card_spend_30d,
    sum(CASE direction WHEN 'in' THEN amount ELSE -amount END) FILTER (type = 'transaction.posted')
      AS net_inflow_30d
    FROM event WHERE time > TIMESTAMP '2026-11-21 04:00' - INTERVAL 30 DAY
      AND type IN ('transaction.posted', 'login', 'card.spent') GROUP BY ordinal)
SELECT ordinal, gender, kind, date_sub('year', birth_date, DATE '2026-11-21') AS age,
  date_sub('month', customer_since, DATE '2026-11-21') AS tenure_months, coalesce(aum, 0) AS aum,
  coalesce(deposit_balance, 0) AS deposit_balance, coalesce(wealth_balance, 0) AS wealth_balance,
  coalesce(product_count, 0) AS product_count, coalesce(txn_count_30d, 0) AS txn_count_30d,
  coalesce(login_count_30d, 0) AS login_count_30d, coalesce(card_spend_30d, 0) AS card_spend_30d,
  coalesce(net_inflow_30d, 0) AS net_inflow_30d
FROM customer LEFT JOIN h USING (ordinal) LEFT JOIN e USING (ordinal)
"""
_TEMPLATES = (
    "aum >= {big} and age between {young} and 65",
    "deposit_balance < {big} and wealth_balance = 0 and gender = 'F'",
    "txn_count_30d >= {few} and net_inflow_30d > {small}",
    "login_count_30d > {few} or card_spend_30d >= {small}",
    "kind = 'person' and tenure_months > {young} and product_count >= 2 and not (aum < {big})",
)
RULES = tuple(
    template.format(big=2_000 * number, young=20 + number, few=number % 3, small=40 * number)
    for number in range(1, 11)
    for template in _TEMPLATES
)


async def run(_place: Workplace, size: int) -> list[dict[str, Any]]:
    """Seconds of a pass as a multiple of both references, by turns on the same store."""
    with TemporaryDirectory(prefix="huanying-b2-") as folder:
        store = Store(Path(folder) / "features.duckdb", memory="8GB")
        try:
            fill(store, size, MOMENT)
            with store.write() as cursor:
                cursor.execute(f"CREATE TABLE wide AS {BY_HAND}")
            return _compare(store)
        finally:
            store.close()


def fill(store: Store, size: int, moment: Moment) -> None:
    """Customers with two accounts each and their events of the year before `moment`, in the order of time."""
    with store.write() as cursor:
        cursor.execute(_CUSTOMERS, {"size": size})
        cursor.execute(_HOLDINGS, {"size": size})
        cursor.execute(_EVENTS, {"size": size, "each": EVENTS_A_CUSTOMER, "now": moment.utc})


def _compare(store: Store) -> list[dict[str, Any]]:
    rules = {f"s{number:02}": stored_rule(text) for number, text in enumerate(RULES)}
    columns = ", ".join(f"({text}) AS s{number:02}" for number, text in enumerate(RULES))
    found = _evaluate(store, rules)
    expected = _select(store, f"SELECT ordinal, {columns} FROM ({BY_HAND})")
    for key, members in found.items():
        if len(members) != int(expected[key].sum()):
            raise RuntimeError(f"{key}: {len(members)} members, by hand {int(expected[key].sum())}")
    ours = facts = wide = 0.0
    for _ in range(TURNS):
        ours += _seconds(lambda: _differences(_evaluate(store, rules), found))
        facts += _seconds(lambda: _select(store, f"SELECT ordinal, {columns} FROM ({BY_HAND})"))
        wide += _seconds(lambda: _select(store, f"SELECT ordinal, {columns} FROM wide"))
    return [
        _row("50 segments from facts, bitmaps and differences", ours, "SELECT from the same facts", facts),
        _row("50 segments from facts, bitmaps and differences", ours, "SELECT from ready features", wide),
    ]


def _evaluate(store: Store, rules: dict[str, Rule]) -> dict[str, BitMap]:
    with store.read() as cursor:
        return evaluate_rules(cursor, rules, {}, BUILT_IN, MOMENT, EVERYBODY)


def _differences(found: dict[str, BitMap], before: dict[str, BitMap]) -> list[BitMap]:
    return [members ^ before[key] for key, members in found.items()]


def _select(store: Store, sql: str) -> dict[str, Any]:
    with store.read() as cursor:
        columns: dict[str, Any] = cursor.execute(sql).fetchnumpy()
        return columns


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _row(what: str, ours: float, against: str, reference: float) -> dict[str, Any]:
    said = f"{against} {reference / TURNS:.2f} s"
    return at_most(what, f"{ours / TURNS:.2f} s", said, ours / reference, TARGET)
