"""Learn from an earlier moment, validate on a later one, tell of today: what churn and propensity share."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from services.segmentation.domain import classification
from services.segmentation.domain.classification import Classifier, Validation
from services.segmentation.domain.description import describe
from services.segmentation.domain.features import Catalogue
from services.segmentation.domain.rules.compiler import Moment
from services.segmentation.domain.stability import population, population_stability, stability_level
from services.segmentation.queries.profile import contrast_views
from services.segmentation.store.parts import Table
from services.segmentation.usecases.training import windows
from services.segmentation.usecases.training.framework import Group, Trained, Training
from shared.contracts.base import LocalText
from shared.contracts.segmentation.predictions import PredictionReport

REASONS = 3
"""Per listed customer the features that speak most for the outcome: columns `reason_1` (place in the
features, from 0) and `effect_1` (log-odds) and so on; NaN where fewer do."""
_MOST_LISTED = 20_000
_BACKGROUND = 400
_SCORE = LocalText(zh="预测得分", en="Score")


@dataclass(frozen=True)
class Question:
    """What is predicted: how to read customers of an earlier moment with their outcomes, and today's."""

    features: Sequence[str]
    horizon_days: int
    sample: int
    top_share: float
    least_probability: float
    learn: Callable[[duckdb.DuckDBPyConnection, Moment], Table]
    ask: Callable[[duckdb.DuckDBPyConnection, Moment], Table]
    listed_name: LocalText


@dataclass(frozen=True)
class Learnt:
    classifier: Classifier
    validation: Validation
    learnt: Table
    validated: Table
    learnt_at: Moment
    validated_at: Moment


def learn(training: Training, question: Question) -> Learnt:
    """Fits on the customers of two horizons ago and validates on those of one ago. Raises `ValueError`."""
    earlier, later = (windows.before(training.moment, n * question.horizon_days) for n in (2, 1))

    def read(name: str, moment: Moment) -> Table:
        return training.keep(
            name,
            lambda cursor: windows.sampled(question.learn(cursor, moment), question.sample, training.seed),
        )

    training.progress(0.05, "reading the customers to learn from")
    table = read("learn", earlier)
    training.progress(0.2, "reading the customers to validate on")
    validated = read("validate", later)
    training.progress(0.35, "learning")
    keys = question.features
    try:
        outcome = table[windows.OUTCOME].astype(np.bool_)
        model = classification.train(windows.matrix_of(table, keys), outcome, training.seed, question.sample)
        training.progress(0.55, "validating")
        scores = model.log_odds(windows.matrix_of(validated, keys))
        found = classification.validate(
            scores, model.calibrated(scores), validated[windows.OUTCOME].astype(np.bool_)
        )
    except classification.TooFewError as error:
        days = f"{earlier.today} and {later.today}"
        raise ValueError(f"Learning from the customers of {days} failed: {error}.") from error
    return Learnt(model, found, table, validated, earlier, later)


def predict(training: Training, question: Question) -> Trained:
    learnt = learn(training, question)
    training.progress(0.65, "predicting")
    present = training.keep("present", lambda cursor: question.ask(cursor, training.moment))
    if not len(present["ordinal"]):
        raise ValueError("There is no customer today of whom this could be asked.")
    features = windows.matrix_of(present, question.features)
    scores = learnt.classifier.log_odds(features)
    probability = learnt.classifier.calibrated(scores)
    listed = listed_of(scores, probability, question)
    training.progress(0.75, "finding reasons")
    effects = _effects(training, learnt.classifier, features, listed)
    training.progress(0.95, "describing")
    labels = np.zeros(len(scores), dtype=np.int32)
    labels[listed] = 1
    return Trained(
        ordinals=present["ordinal"],
        metrics=metrics_of(learnt.validation) | {"asked": len(scores), "listed": len(listed)},
        preparation={"features": list(question.features), **_calibration(learnt.classifier)},
        labels=labels,
        scores={
            "probability": probability.astype(np.float32),
            "log_odds": scores.astype(np.float32),
            "assets": present[windows.ASSETS].astype(np.float32),
            **_reasons(effects, listed, len(scores)),
        },
        groups=[_listed_group(question, present, labels == 1, training.catalogue)] if len(listed) else [],
        report=_report(question, learnt, present, scores, effects, training.catalogue),
    )


def listed_of(
    scores: NDArray[np.float64], probability: NDArray[np.float64], question: Question
) -> NDArray[np.int64]:
    """Places of the customers with the highest scores, at most the share and at least the probability."""
    most = min(int(np.ceil(question.top_share * len(scores))), _MOST_LISTED)
    first = np.argsort(-scores, kind="stable")[:most]
    return np.sort(first[probability[first] >= question.least_probability])


def _effects(
    training: Training, model: Classifier, features: NDArray[np.float64], listed: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(listed, d). Compared with customers of today drawn at random."""
    drawn = np.random.default_rng(training.seed).choice(
        len(features), min(_BACKGROUND, len(features)), replace=False
    )
    return classification.contributions(model, features[listed], features[drawn], training.seed)


def _reasons(
    effects: NDArray[np.float64], listed: NDArray[np.int64], size: int
) -> dict[str, NDArray[np.float32]]:
    order = np.argsort(-effects, axis=1, kind="stable")
    columns = {}
    for number in range(min(REASONS, effects.shape[1])):
        feature = order[:, number]
        effect = effects[np.arange(len(listed)), feature]
        speaks = effect > 0
        for name, values in (("reason", feature), ("effect", effect)):
            column = np.full(size, np.nan, dtype=np.float32)
            column[listed[speaks]] = values[speaks]
            columns[f"{name}_{number + 1}"] = column
    return columns


def metrics_of(found: Validation) -> dict[str, Any]:
    return {name: getattr(found, name) for name in ("auc", "pr_auc", "lift", "brier", "brier_reference")} | {
        "base_rate": found.outcomes / found.customers,
        "validated_on": found.customers,
    }


def _calibration(model: Classifier) -> dict[str, Any]:
    """The steps from log-odds to probability."""
    steps = model.calibration
    return {"calibration": [steps.X_thresholds_.tolist(), steps.y_thresholds_.tolist()]}


def _listed_group(
    question: Question, present: Table, inside: NDArray[np.bool_], catalogue: Catalogue
) -> Group:
    contrasts = contrast_views({key: present[key] for key in question.features}, inside, catalogue)
    return Group(
        number=1,
        name=question.listed_name,
        size=int(inside.sum()),
        description=describe(contrasts),
        profile=contrasts,
    )


def _report(
    question: Question,
    learnt: Learnt,
    present: Table,
    scores: NDArray[np.float64],
    effects: NDArray[np.float64],
    catalogue: Catalogue,
) -> dict[str, Any]:
    said = learnt.validation
    strength = np.abs(effects).mean(axis=0) if len(effects) else np.zeros(len(question.features))
    validated = learnt.classifier.log_odds(windows.matrix_of(learnt.validated, question.features))
    drifts = [("score", _SCORE.model_dump(), _drift(validated, scores))] + [
        (key, _name(key, catalogue), _drift(learnt.learnt[key], present[key])) for key in question.features
    ]
    report = {
        "validation": {
            "learnt_at": learnt.learnt_at.at.isoformat(),
            "validated_at": learnt.validated_at.at.isoformat(),
            "base_rate": said.outcomes / said.customers,
            **asdict(said),
        },
        "stability": [
            {"feature": key, "name": name, "psi": psi, "level": stability_level(psi)}
            for key, name, psi in sorted(drifts, key=lambda each: -each[2])
        ],
        "importance": [
            {
                "feature": question.features[place],
                "name": _name(question.features[place], catalogue),
                "strength": float(strength[place]),
            }
            for place in np.argsort(-strength)
        ],
    }
    return PredictionReport.model_validate(report).model_dump(mode="json")


def _drift(before: NDArray[np.float64], now: NDArray[np.float64]) -> float:
    return population_stability(population(before), now)


def _name(key: str, catalogue: Catalogue) -> dict[str, str]:
    return {"zh": catalogue[key].zh, "en": catalogue[key].en}
