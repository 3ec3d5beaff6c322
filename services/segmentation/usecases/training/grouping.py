"""From labels to groups: kept numbers, names, descriptions, rules, drift and a picture."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.segmentation.domain.cluster_description import Description, describe_by_tree
from services.segmentation.domain.description import describe
from services.segmentation.domain.stability import (
    Population,
    match_labels,
    moves,
    population,
    population_stability,
    renumbered,
    stability_level,
)
from services.segmentation.queries.profile import Matrix, contrast_views
from services.segmentation.usecases.training.framework import Group, Previous, Training
from shared.contracts.base import LocalText

Labels = NDArray[np.int32]
_PICTURED = 2_000


@dataclass(frozen=True)
class Numbered:
    """Labels with the numbers of the run before where groups are the same; `kept` maps the run's own."""

    labels: Labels
    kept: Mapping[int, int]
    before: Labels | None
    """The run before's labels of the same customers, 0 for none."""


def numbered(ordinals: NDArray[np.uint32], labels: Labels, previous: Previous | None) -> Numbered:
    """`labels`: 1..k. Without a run before they stay what they are."""
    if previous is None or previous.labels is None:
        return numbered_as_before(ordinals, labels, None)
    before = aligned(ordinals, previous.ordinals, previous.labels)
    kept = match_labels(labels, before)
    return Numbered(renumbered(labels, kept), kept, before)


def numbered_as_before(ordinals: NDArray[np.uint32], labels: Labels, previous: Previous | None) -> Numbered:
    """For kinds whose numbers mean the same in every run."""
    before = None
    if previous is not None and previous.labels is not None:
        before = aligned(ordinals, previous.ordinals, previous.labels)
    return Numbered(labels, {int(number): int(number) for number in np.unique(labels)}, before)


def aligned(ordinals: NDArray[np.uint32], known: NDArray[np.uint32], values: NDArray[Any]) -> NDArray[Any]:
    """`values` of the customers `known` (ascending), in the order of `ordinals`; 0 for the others."""
    found = np.zeros(len(ordinals), dtype=values.dtype)
    if len(known):
        places = np.minimum(np.searchsorted(known, ordinals), len(known) - 1)
        inside = known[places] == ordinals
        found[inside] = values[places[inside]]
    return found


def described(training: Training, matrix: Matrix, labels: Labels) -> Description:
    """A surrogate tree over the features as the catalogue has them."""
    types = {key: training.catalogue[key].type for key in matrix}
    return describe_by_tree(matrix, labels, types=types, seed=training.seed)


def groups_of(
    training: Training,
    matrix: Matrix,
    labels: Labels,
    rules: Description,
    centres: Mapping[int, Mapping[str, float]],
) -> list[Group]:
    """By number. `centres` in prepared units."""
    rule_of = {rule.number: rule for rule in rules.rules}
    found = []
    for number in sorted(centres):
        inside = labels == number
        contrasts = contrast_views(matrix, inside, training.catalogue)
        rule = rule_of.get(number)
        found.append(
            Group(
                number=number,
                name=made_up_name(number),
                size=int(inside.sum()),
                description=describe(contrasts),
                profile=contrasts,
                centre=centres[number],
                rule=rule.sql if rule else None,
                rule_quality={"precision": rule.precision, "recall": rule.recall} if rule else None,
            )
        )
    return found


def within(training: Training, low: float, high: float, step: str) -> Callable[[float], None]:
    """For a computation that tells its own share: it is the part from `low` to `high` of the training."""
    training.progress(low, step)
    return lambda share: training.progress(low + (high - low) * share, step)


def made_up_name(number: int) -> LocalText:
    return LocalText(zh=f"第{number}类客群", en=f"Cluster {number}")


def populations(matrix: Matrix) -> dict[str, Any]:
    """How each feature is spread, for the next run to compare with."""
    return {key: asdict(population(values)) for key, values in matrix.items()}


def drift(matrix: Matrix, found: Numbered, previous: Previous | None) -> dict[str, Any] | None:
    """What changed since the run before; `None` for the first."""
    if previous is None or found.before is None:
        return None
    moved = moves(found.labels, found.before)
    sizes = {group.number: group.size for group in previous.groups}
    numbers = sorted({*sizes, *found.kept.values()} - {0})
    spread = {
        key: Population(tuple(each["edges"]), tuple(each["counts"]))
        for key, each in previous.report.get("populations", {}).items()
    }
    indices = {
        key: population_stability(spread[key], values) for key, values in matrix.items() if key in spread
    }
    return {
        "previous_run": previous.number,
        "customers": moved.customers,
        "moved": moved.moved,
        "joined": moved.joined,
        "left": moved.left,
        "groups": [
            {
                "cluster": number,
                "size": int((found.labels == number).sum()),
                "size_before": sizes.get(number),
                "stayed": moved.stayed.get(number),
            }
            for number in numbers
        ],
        "features": [
            {"feature": key, "psi": psi, "level": stability_level(psi)}
            for key, psi in sorted(indices.items(), key=lambda item: -item[1])
        ],
    }


def projection(
    ordinals: NDArray[np.uint32], x: NDArray[np.float64], names: Sequence[str], seed: int
) -> dict[str, Any]:
    """The two principal components of a sample, for a picture. `x` (N, d) prepared, d may be 1."""
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.choice(len(x), min(len(x), _PICTURED), replace=False))
    centred = x - x.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred / len(x))
    axes = vectors[:, ::-1][:, :2]
    # A sign of its own for each axis: the largest loading is positive.
    axes = axes * np.where(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])] < 0, -1.0, 1.0)
    if axes.shape[1] == 1:
        axes = np.column_stack([axes, np.zeros(len(axes))])
    total = float(values.sum())
    points = np.round(centred[chosen] @ axes, 4)
    return {
        "explained": [float(value) / total if total else 0.0 for value in values[::-1][:2]],
        "loadings": {name: [float(each) for each in axes[row]] for row, name in enumerate(names)},
        "ordinals": ordinals[chosen].tolist(),
        "x": points[:, 0].tolist(),
        "y": points[:, 1].tolist(),
    }
