"""The kind `tactical`: strategic segments split again by the dimensions of one campaign.

A customer may be in several groups. Each (segment, split) has its own range of numbers, in the order
of the parameters; within it parts keep the number of the part they overlap most in the run before.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.segmentation.domain.description import describe
from services.segmentation.domain.rules.text import to_sql
from services.segmentation.domain.rules.tree import InSegment
from services.segmentation.domain.stability import match_labels
from services.segmentation.domain.tactical import Split, TacticalGroup, tactical
from services.segmentation.queries.profile import Matrix, contrast_views
from services.segmentation.usecases.training import grouping
from services.segmentation.usecases.training.features import pointed, twice
from services.segmentation.usecases.training.framework import Group, Kind, Previous, Trained, Training
from shared.contracts.base import LocalText
from shared.contracts.segmentation.clusters import TacticalParameters, TacticalSplit
from shared.errors import FieldError

_MOST_GROUPS = 100


@dataclass(frozen=True)
class _Part:
    """One group to be: `number` is final, `inside` goes over all customers."""

    number: int
    segment: str
    split: TacticalSplit
    found: TacticalGroup


def check(parameters: TacticalParameters) -> list[FieldError]:
    errors = []
    for index, split in enumerate(parameters.splits):
        errors += twice(split.features, f"/parameters/splits/{index}/features")
        if split.name in {each.name for each in parameters.splits[:index]}:
            errors.append(FieldError(f"/parameters/splits/{index}/name", f"'{split.name}' is taken"))
    groups = len(parameters.strategic) * sum(split.k for split in parameters.splits)
    if groups > _MOST_GROUPS:
        errors.append(FieldError("/parameters/splits", f"{groups} groups are more than {_MOST_GROUPS}"))
    for index, key in enumerate(parameters.strategic):
        if key in parameters.strategic[:index]:
            errors.append(FieldError(f"/parameters/strategic/{index}", f"'{key}' is listed twice"))
    return errors


def train(training: Training) -> Trained:
    parameters = TacticalParameters.model_validate(training.parameters)
    training.progress(0.05, "reading features")
    keys = sorted({key for split in parameters.splits for key in split.features})
    ordinals, matrix = training.features(keys)
    parts, preparation = _split(training, parameters, ordinals, matrix)
    training.progress(0.85, "describing groups")
    members = np.zeros(len(ordinals), dtype=np.int64)
    for part in parts:
        members += part.found.members
    return Trained(
        ordinals=ordinals,
        metrics={
            "groups": len(parts),
            "in_a_group": int((members > 0).sum()),
            "in_several": int((members > len(parameters.splits)).sum()),
        },
        preparation=preparation,
        scores={f"degree_{part.number}": part.found.degree for part in parts},
        groups=sorted(_groups(training, parts, matrix), key=lambda group: group.number),
        report={
            "parts": [
                {"cluster": part.number, "segment": part.segment, "split": part.split.name} for part in parts
            ],
            "populations": grouping.populations(matrix),
        },
    )


def _split(
    training: Training, parameters: TacticalParameters, ordinals: NDArray[np.uint32], matrix: Matrix
) -> tuple[list[_Part], dict[str, Any]]:
    """Every part of every (segment, split), and how the features of each were prepared."""
    parts: list[_Part] = []
    preparation: dict[str, Any] = {}
    offset = 0
    for index, segment in enumerate(parameters.strategic):
        training.progress(0.1 + 0.75 * index / len(parameters.strategic), f"splitting {segment}")
        inside = np.isin(ordinals, training.members(segment)).astype(np.int32)
        for split in parameters.splits:
            _enough(segment, split, int(inside.sum()))
            columns = {key: matrix[key] for key in split.features}
            found = tactical(
                inside,
                [1],
                [Split(split.name, columns, split.k)],
                threshold=parameters.threshold,
                seed=training.seed,
                m=parameters.partitions,
                progress=lambda _: training.pulse.check(),
            )
            numbers = _numbers(ordinals, found.groups, offset, training.previous)
            parts += [_Part(numbers[each.part], segment, split, each) for each in found.groups]
            how = found.preparation[1, split.name]
            preparation[f"{segment}/{split.name}"] = {key: asdict(each) for key, each in how.items()}
            offset += split.k
    return sorted(parts, key=lambda part: part.number), preparation


def _enough(segment: str, split: TacticalSplit, members: int) -> None:
    if members < split.k:
        detail = f"it has {members} members who are customers now, {split.k} parts need more"
        raise ValueError(f"Segment '{segment}' cannot be split by '{split.name}': {detail}.")


def _numbers(
    ordinals: NDArray[np.uint32], groups: tuple[TacticalGroup, ...], offset: int, previous: Previous | None
) -> dict[int, int]:
    """The number of each part: its own, or that of the part before with the same customers."""
    numbers = {group.part: offset + group.part for group in groups}
    columns = [f"degree_{number}" for number in sorted(numbers.values())]
    if previous is None or not all(name in previous.scores for name in columns):
        return numbers
    now = _best(np.column_stack([group.degree for group in groups]))
    then = _best(np.column_stack([previous.scores[name] for name in columns]))
    kept = match_labels(now, grouping.aligned(ordinals, previous.ordinals, then))
    free = iter(sorted(set(range(1, len(groups) + 1)) - {kept.get(part, 0) for part in numbers}))
    return {part: offset + (kept[part] if part in kept else next(free)) for part in numbers}


def _best(degree: NDArray[np.float32]) -> NDArray[np.int32]:
    """1.. for the part with the highest degree, 0 for who has none."""
    best: NDArray[np.int32] = np.where(degree.max(axis=1) > 0, degree.argmax(axis=1) + 1, 0).astype(np.int32)
    return best


def _groups(training: Training, parts: list[_Part], matrix: Matrix) -> Iterator[Group]:
    """Each described against the other parts of its strategic segment in its split."""
    pairs = list(dict.fromkeys((part.segment, part.split.name) for part in parts))
    for pair in pairs:
        siblings = [part for part in parts if (part.segment, part.split.name) == pair]
        columns = {key: matrix[key] for key in siblings[0].split.features}
        best = _best(np.column_stack([part.found.degree for part in siblings]))
        rules = grouping.described(training, columns, best)
        rule_of = {rule.number: rule.sql for rule in rules.rules}
        for own, part in enumerate(siblings, 1):
            taken = (rules.assigned == own) & (best > 0)
            yield _group(training, part, columns, rule_of.get(own), taken)


def _group(
    training: Training, part: _Part, columns: Matrix, tree: str | None, taken: NDArray[np.bool_]
) -> Group:
    contrasts = contrast_views(columns, part.found.members, training.catalogue)
    title = f"{part.segment} · {part.split.name} {part.found.part}"
    return Group(
        number=part.number,
        name=LocalText(zh=title, en=title),
        size=int(part.found.members.sum()),
        description=describe(contrasts),
        profile=contrasts,
        rule=None if tree is None else f"{to_sql(InSegment(part.segment))} and ({tree})",
        rule_quality=None if tree is None else _quality(taken, part.found.members),
        members=part.found.members,
    )


def _quality(taken: NDArray[np.bool_], members: NDArray[np.bool_]) -> dict[str, float]:
    both = int((taken & members).sum())
    return {"precision": both / max(int(taken.sum()), 1), "recall": both / max(int(members.sum()), 1)}


def _asked(parameters: TacticalParameters) -> list[tuple[str, str]]:
    return [
        each
        for index, split in enumerate(parameters.splits)
        for each in pointed(split.features, f"/parameters/splits/{index}/features")
    ]


TACTICAL = Kind(TacticalParameters, check, train, lambda parameters: parameters.strategic, _asked)
