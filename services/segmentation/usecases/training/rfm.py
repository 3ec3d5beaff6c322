"""The kind `rfm`: recency, frequency and amount in bands, and the named segments they make.

Its rules are exact: they say by the stored cut-offs who is in a segment, tomorrow as today.
"""

from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.segmentation.domain.description import describe
from services.segmentation.domain.rfm import MEASURES, SEGMENTS, Scales, Scores, rfm, score
from services.segmentation.domain.rfm_rules import segment_rule
from services.segmentation.domain.rules.text import to_sql
from services.segmentation.queries.profile import Matrix, contrast_views
from services.segmentation.usecases.training import grouping
from services.segmentation.usecases.training.framework import Group, Kind, Trained, Training
from shared.contracts.base import LocalText
from shared.contracts.segmentation.clusters import RfmParameters
from shared.errors import FieldError

_DECIMALS = 6


def check(parameters: RfmParameters) -> list[FieldError]:
    errors = []
    if parameters.cuts is not None:
        for name in MEASURES:
            rising = name != "recency"
            cuts = getattr(parameters.cuts, name)
            steps = np.diff(cuts) if rising else -np.diff(cuts)
            if (steps <= 0).any():
                order = "rising" if rising else "falling"
                errors.append(FieldError(f"/parameters/cuts/{name}", f"worst first: {order} cut-offs"))
    if not any(parameters.weights.model_dump().values()):
        errors.append(FieldError("/parameters/weights", "one weight at least is above 0"))
    return errors


def train(training: Training) -> Trained:
    parameters = RfmParameters.model_validate(training.parameters)
    training.progress(0.1, "reading features")
    keys = _keys(parameters)
    ordinals, matrix = training.features(sorted(set(keys.values())))
    if not ordinals.size:
        raise ValueError("There is no customer to score.")
    training.progress(0.4, "scoring")
    scales, scores = _scored(parameters, [matrix[keys[name]] for name in MEASURES])
    # Segments are numbered alike in every run.
    labels = scores.segment.astype(np.int32) + 1
    found = grouping.numbered_as_before(ordinals, labels, training.previous)
    training.progress(0.7, "describing segments")
    return Trained(
        ordinals=ordinals,
        metrics={"mean_score": float(scores.total.mean()), "segments": len(np.unique(labels))},
        preparation=_preparation(scales),
        labels=labels,
        scores={
            **{name: getattr(scores, name).astype(np.float32) for name in MEASURES},
            "total": scores.total,
            "code": scores.code.astype(np.float32),
        },
        groups=list(_groups(training, matrix, labels, scales)),
        report={
            "bands": _bands(scores),
            "populations": grouping.populations(matrix),
            "drift": grouping.drift(matrix, found, training.previous),
        },
    )


def _keys(parameters: RfmParameters) -> dict[str, str]:
    return {name: getattr(parameters, name) for name in MEASURES}


def _scored(parameters: RfmParameters, columns: list[NDArray[np.float64]]) -> tuple[Scales, Scores]:
    """With cut-offs rounded to what the rule language writes, so that rules are exact."""
    weights = (parameters.weights.recency, parameters.weights.frequency, parameters.weights.monetary)
    cuts = None if parameters.cuts is None else [getattr(parameters.cuts, name) for name in MEASURES]
    scales, _ = rfm(*columns, bands=parameters.bands, cuts=cuts, weights=weights, variant=parameters.variant)
    rounded = {
        name: replace(scale, cuts=tuple(round(cut, _DECIMALS) for cut in scale.cuts))
        for name, scale in ((name, getattr(scales, name)) for name in MEASURES)
    }
    scales = replace(scales, **rounded)
    return scales, score(scales, *columns)


def _preparation(scales: Scales) -> dict[str, Any]:
    """Scores tomorrow's customers with the same cut-offs. One that nobody reaches is null."""
    found = asdict(scales)
    for name in MEASURES:
        found[name]["cuts"] = [cut if np.isfinite(cut) else None for cut in found[name]["cuts"]]
    return found


def _groups(training: Training, matrix: Matrix, labels: NDArray[np.int32], scales: Scales) -> Iterator[Group]:
    keys = _keys(RfmParameters.model_validate(training.parameters))
    for number, segment in enumerate(SEGMENTS, 1):
        inside = labels == number
        contrasts = contrast_views(matrix, inside, training.catalogue)
        rule = segment_rule(segment, scales, keys)
        yield Group(
            number=number,
            name=LocalText(zh=segment.zh, en=segment.en),
            size=int(inside.sum()),
            description=describe(contrasts),
            profile=contrasts,
            rule=to_sql(rule) if rule is not None else None,
            rule_quality={"precision": 1.0, "recall": 1.0} if rule is not None else None,
        )


def _bands(scores: Scores) -> dict[str, list[int]]:
    """Customers by band of each measure, worst band first."""
    return {name: np.bincount(getattr(scores, name))[1:].tolist() for name in MEASURES}


def _asked(parameters: RfmParameters) -> list[tuple[str, str]]:
    return [(f"/parameters/{name}", key) for name, key in _keys(parameters).items()]


RFM = Kind(RfmParameters, check, train, features=_asked)
