"""Days with purchases per customer, and the value they promise by BG/NBD and Gamma–Gamma."""

from typing import Any

import duckdb
import numpy as np

from services.segmentation.domain import bg_nbd, clv, gamma_gamma
from services.segmentation.domain.rules.compiler import Moment
from services.segmentation.store.parts import Table
from services.segmentation.usecases.training import windows
from services.segmentation.usecases.training.framework import Trained, Training
from shared.contracts.segmentation.predictions import ClvParameters

MONTH_DAYS = 365.25 / 12
_HELD_OUT_DAYS = 90
_LEAST = 50

# A purchase is a day; the first one is where a customer begins. What is taken back on the day is netted.
_PURCHASES = """
WITH bought AS (
  SELECT ordinal, timezone($zone, timezone('UTC', time))::DATE AS day, sum(amount)::DOUBLE AS spent
  FROM event SEMI JOIN (SELECT ordinal FROM customer WHERE status = 'active' AND merged_into IS NULL) AS c
    USING (ordinal)
  WHERE type IN (SELECT unnest($types::VARCHAR[])) AND time <= $t
  GROUP BY ALL HAVING sum(amount) > 0
)
SELECT ordinal, count(*)::DOUBLE - 1 AS frequency, (max(day) - min(day))::DOUBLE AS recency,
  greatest($today - min(day), 1)::DOUBLE AS age,
  coalesce((sum(spent) - arg_min(spent, day)) / nullif(count(*) - 1, 0), 0) AS spend
FROM bought GROUP BY ordinal ORDER BY ordinal
"""


def purchases(cursor: duckdb.DuckDBPyConnection, wanted: ClvParameters, moment: Moment) -> Table:
    """frequency, recency and age in days, mean spend of the repeat purchases; by ordinal."""
    values = {
        "types": list(wanted.events),
        "t": moment.utc,
        "today": moment.today,
        "zone": str(moment.zone),
    }
    found = cursor.execute(_PURCHASES, values).fetchnumpy()
    ordinals = np.asarray(found.pop("ordinal")).astype(np.uint32)
    return {"ordinal": ordinals, **{name: np.asarray(column) for name, column in found.items()}}


def purchases_then(cursor: duckdb.DuckDBPyConnection, wanted: ClvParameters, start: Moment) -> Table:
    """The purchases up to `start`, and on how many days each customer bought in the 90 days after."""
    table = purchases(cursor, wanted, start)
    end = windows.before(start, -_HELD_OUT_DAYS)
    until = purchases(cursor, wanted, end)
    later = windows.aligned(table["ordinal"], until["ordinal"], until["frequency"])
    table["bought_later"] = np.maximum(np.nan_to_num(later) - table["frequency"], 0)
    return table


def train(training: Training, wanted: ClvParameters) -> Trained:
    training.progress(0.1, "reading purchases")
    table = training.keep("purchases", lambda cursor: purchases(cursor, wanted, training.moment))
    earlier = windows.before(training.moment, _HELD_OUT_DAYS)
    then = training.keep("earlier purchases", lambda cursor: purchases_then(cursor, wanted, earlier))
    if int((table["frequency"] > 0).sum()) < _LEAST:
        raise ValueError(f"At least {_LEAST} customers with a second purchase are needed to learn from.")
    training.progress(0.3, "learning how often customers buy")
    buying = _buying(table, wanted)
    training.progress(0.5, "learning how much they spend")
    again = windows.sampled(_rows(table, table["frequency"] > 0), wanted.sample, wanted.seed)
    spending = gamma_gamma.fit(again["frequency"], again["spend"])
    training.progress(0.7, "forecasting")
    return Trained(
        ordinals=table["ordinal"],
        metrics=_metrics(then, wanted) | {"customers": len(table["ordinal"])} | _correlation(again),
        preparation={
            "bg_nbd": {
                name: getattr(buying, name) for name in ("r", "alpha", "a", "b", "log_likelihood", "bounded")
            },
            "gamma_gamma": {
                name: getattr(spending, name) for name in ("p", "q", "v", "log_likelihood", "bounded")
            },
            "unit": "day",
        },
        scores=_scores(table, buying, spending, wanted),
    )


def _rows(table: Table, kept: Any) -> Table:
    return {name: values[kept] for name, values in table.items()}


def _buying(table: Table, wanted: ClvParameters) -> bg_nbd.BgNbd:
    sample = windows.sampled(table, wanted.sample, wanted.seed)
    return bg_nbd.fit(sample["frequency"], sample["recency"], sample["age"])


def _scores(
    table: Table, buying: bg_nbd.BgNbd, spending: gamma_gamma.GammaGamma, wanted: ClvParameters
) -> dict[str, Any]:
    x, recency, age = (table[name] for name in ("frequency", "recency", "age"))
    value = clv.from_purchases(
        buying,
        spending,
        x,
        recency,
        age,
        table["spend"],
        months=wanted.months,
        month=MONTH_DAYS,
        margin=wanted.margin,
        discount=clv.monthly_discount(wanted.yearly_rate),
    )
    scores = {
        "clv": value,
        "alive": bg_nbd.alive(buying, x, recency, age),
        "purchases": bg_nbd.expected_purchases(buying, wanted.months * MONTH_DAYS, x, recency, age),
        "spend": gamma_gamma.expected_spend(spending, x, table["spend"]),
    }
    return {name: column.astype(np.float32) for name, column in scores.items()}


def _metrics(then: Table, wanted: ClvParameters) -> dict[str, Any]:
    """The last 90 days as the model would have forecast them before; null where there was too little then."""
    if int((then["frequency"] > 0).sum()) < _LEAST:
        return {"held_out_forecast": None, "held_out_made": None, "held_out_error": None}
    model = _buying(then, wanted)
    columns = (then[name] for name in ("frequency", "recency", "age"))
    expected = bg_nbd.expected_purchases(model, _HELD_OUT_DAYS, *columns)
    return {
        "held_out_forecast": float(expected.sum()),
        "held_out_made": float(then["bought_later"].sum()),
        "held_out_error": float(np.abs(expected - then["bought_later"]).mean()),
    }


def _correlation(again: Table) -> dict[str, Any]:
    """Gamma–Gamma takes how often and how much for independent: this should be near 0."""
    if len(again["ordinal"]) < 2 or np.ptp(again["frequency"]) == 0 or np.ptp(again["spend"]) == 0:
        return {"frequency_spend_correlation": None}
    found = np.corrcoef(again["frequency"], again["spend"])[0, 1]
    return {"frequency_spend_correlation": float(found)}
