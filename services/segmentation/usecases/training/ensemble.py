"""The kind `ensemble`: the partition that many partitions agree on, with degrees of membership."""

from collections.abc import Mapping
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from services.segmentation.domain.cluster_choice import KTable, k_table
from services.segmentation.domain.ensemble import (
    base_partitions,
    cohesion,
    consensus_partition,
    doubt,
    membership_degree,
    normalised,
)
from services.segmentation.domain.preparation import prepared
from services.segmentation.usecases.training import grouping
from services.segmentation.usecases.training.features import pointed, twice
from services.segmentation.usecases.training.framework import Kind, Trained, Training
from shared.contracts.segmentation.clusters import EnsembleParameters
from shared.errors import FieldError

Degrees = NDArray[np.float64]


def check(parameters: EnsembleParameters) -> list[FieldError]:
    errors = twice(parameters.features)
    low, high = parameters.k_range.low, parameters.k_range.high
    if low > high:
        errors.append(FieldError("/parameters/k_range/high", f"{high} is below the lower end, {low}"))
    return errors


def train(training: Training) -> Trained:
    parameters = EnsembleParameters.model_validate(training.parameters)
    training.progress(0.02, "reading features")
    ordinals, matrix = training.features(parameters.features)
    _enough(len(ordinals))
    preparation, x = prepared(matrix)
    labels = base_partitions(
        x,
        parameters.partitions,
        (parameters.k_range.low, parameters.k_range.high),
        training.seed,
        sample=parameters.sample,
        progress=grouping.within(training, 0.05, 0.55, "base partitions"),
    )
    table = k_table(
        x,
        labels,
        parameters.k_max,
        training.seed,
        progress=grouping.within(training, 0.55, 0.75, "comparing numbers of groups"),
    )
    k = table.recommended if parameters.k == "auto" else parameters.k
    training.progress(0.75, "consensus")
    own = consensus_partition(labels, k, training.seed)
    training.progress(0.82, "degrees of membership")
    degree = membership_degree(labels, own, k)
    result = grouping.numbered(ordinals, (own + 1).astype(np.int32), training.previous)
    training.progress(0.88, "describing groups")
    rules = grouping.described(training, matrix, result.labels)
    centres = {
        number: dict(zip(parameters.features, x[result.labels == number].mean(axis=0).tolist(), strict=True))
        for number in result.kept.values()
    }
    training.progress(0.95, "comparing with the run before")
    scores, metrics = _belonging(degree, own, result.kept)
    return Trained(
        ordinals=ordinals,
        metrics={
            "k": k,
            "k_from": "recommended" if parameters.k == "auto" else "given",
            "silhouette": _silhouette(table, k),
            "fidelity": rules.fidelity,
            **metrics,
        },
        preparation={key: asdict(how) for key, how in preparation.items()},
        labels=result.labels,
        scores=scores,
        groups=grouping.groups_of(training, matrix, result.labels, rules, centres),
        report={
            "k_table": {"chosen": k, **asdict(table)},
            "populations": grouping.populations(matrix),
            "drift": grouping.drift(matrix, result, training.previous),
            "projection": grouping.projection(ordinals, x, parameters.features, training.seed),
        },
    )


def _enough(customers: int) -> None:
    if customers < 10:
        raise ValueError(f"{customers} customers are too few for an ensemble: 10 are needed")


def _silhouette(table: KTable, k: int) -> float | None:
    """Of the chosen number; `None` where the table does not go so far."""
    return next((row.silhouette for row in table.rows if row.k == k), None)


def _belonging(
    degree: Degrees, own: NDArray[np.int32], kept: Mapping[int, int]
) -> tuple[dict[str, NDArray[np.float32]], dict[str, float]]:
    """Scores by customer, degrees under the numbers groups keep, and what they say as a whole."""
    split, together = normalised(degree), cohesion(degree, own)
    doubts = doubt(degree, own)
    scores = {f"degree_{number}": split[:, group - 1] for group, number in kept.items()}
    scores["cohesion"] = together
    flags = {"borderline": doubts.borderline, "outlier": doubts.outlier}
    metrics = {
        "mean_degree": float(split.max(axis=1).mean()),
        "mean_cohesion": float(together.mean()),
        "borderline": float(doubts.borderline.mean()),
        "outliers": float(doubts.outlier.mean()),
    }
    return {name: values.astype(np.float32) for name, values in {**scores, **flags}.items()}, metrics


ENSEMBLE = Kind(EnsembleParameters, check, train, features=lambda parameters: pointed(parameters.features))
