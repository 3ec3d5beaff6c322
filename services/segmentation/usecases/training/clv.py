"""The kind `clv`: what customers are worth from now on."""

import duckdb
import numpy as np
from numpy.typing import NDArray

from services.segmentation.domain import clv
from services.segmentation.domain.rules.compiler import Moment
from services.segmentation.store.parts import Table
from services.segmentation.usecases.training import purchases, windows
from services.segmentation.usecases.training.features import pointed, twice
from services.segmentation.usecases.training.framework import Kind, Trained, Training
from services.segmentation.usecases.training.predicting import (
    Learnt,
    Question,
    learn,
    metrics_of,
)
from shared.contracts.base import LocalText
from shared.contracts.segmentation.predictions import ClvParameters
from shared.errors import FieldError

# Of each customer the model that their newest month is of, as in the features.
_CONTRIBUTIONS = """
SELECT ordinal, sum(contribution)::DOUBLE / $months AS contribution
FROM (
  SELECT ordinal, month, contribution, model, max(month) OVER () AS newest,
    first_value(model) OVER (PARTITION BY ordinal ORDER BY month DESC, model) AS current
  FROM value WHERE month <= $today QUALIFY model = current
)
WHERE month > newest - to_months($months) GROUP BY ordinal
"""


def check(parameters: ClvParameters) -> list[FieldError]:
    return twice(parameters.features) if parameters.method == "contribution" else []


def features(parameters: ClvParameters) -> list[tuple[str, str]]:
    return pointed(parameters.features) if parameters.method == "contribution" else []


def train(training: Training) -> Trained:
    wanted = ClvParameters.model_validate(training.parameters)
    if wanted.method == "purchases":
        return purchases.train(training, wanted)
    return _from_contribution(training, wanted)


def _from_contribution(training: Training, wanted: ClvParameters) -> Trained:
    keys, definition, known = wanted.features, wanted.churn, training.catalogue
    learnt = learn(
        training,
        Question(
            features=keys,
            horizon_days=definition.horizon_days,
            sample=wanted.sample,
            top_share=1.0,
            least_probability=0.0,
            learn=lambda cursor, moment: windows.lost_after(cursor, keys, definition, moment, known),
            ask=lambda cursor, moment: windows.at_risk_now(cursor, keys, definition, moment, known),
            listed_name=LocalText(zh="客户", en="Customers"),
        ),
    )
    training.progress(0.7, "reading contributions")
    table = training.keep("contributions", lambda cursor: contributions(cursor, wanted, training.moment))
    if not len(table["ordinal"]):
        raise ValueError("No contributions have been calculated: run the value model first.")
    present = training.keep(
        "present",
        lambda cursor: windows.at_risk_now(cursor, keys, definition, training.moment, known),
    )
    training.progress(0.85, "adding up")
    survival = _survival(table["ordinal"], present, learnt, wanted)
    value = clv.from_contribution(
        table["contribution"], survival, wanted.months, clv.monthly_discount(wanted.yearly_rate)
    )
    return Trained(
        ordinals=table["ordinal"],
        metrics=metrics_of(learnt.validation)
        | {
            "customers": len(value),
            "total": float(value.sum()),
            "mean_monthly_survival": float(survival.mean()),
        },
        preparation={"features": list(wanted.features)},
        scores={
            name: column.astype(np.float32)
            for name, column in (
                ("clv", value),
                ("contribution", table["contribution"]),
                ("survival", survival),
            )
        },
    )


def contributions(cursor: duckdb.DuckDBPyConnection, wanted: ClvParameters, now: Moment) -> Table:
    """Mean monthly contribution over the newest months, by ordinal; a month without a figure counts as 0."""
    values = {"months": wanted.averaged_over, "today": now.today}
    rows = cursor.execute(_CONTRIBUTIONS, values).fetchall()
    active = {ordinal for (ordinal,) in cursor.execute(_ACTIVE).fetchall()}
    found = sorted(row for row in rows if row[0] in active)
    return {
        "ordinal": np.array([ordinal for ordinal, _ in found], dtype=np.uint32),
        "contribution": np.array([amount for _, amount in found], dtype=np.float64),
    }


_ACTIVE = "SELECT ordinal FROM customer WHERE status = 'active' AND merged_into IS NULL"


def _survival(
    ordinals: NDArray[np.uint32], present: Table, learnt: Learnt, wanted: ClvParameters
) -> NDArray[np.float64]:
    """P(still with us after a month). Whoever has too little to be asked of gets the mean of all."""
    probability = learnt.classifier.probability(windows.matrix_of(present, wanted.features))
    found = windows.aligned(ordinals, present["ordinal"], probability)
    base = learnt.validation.outcomes / learnt.validation.customers
    return clv.monthly_survival(np.where(np.isnan(found), base, found), wanted.churn.horizon_days)


CLV = Kind(ClvParameters, check, train, features=features, of_the_past=True)
