"""A journey: where each step leads, which contacts it makes, and what is wrong with it."""

import math
from collections.abc import Iterator

from shared.contracts.campaign import Arm, CampaignContent, Scheme
from shared.contracts.campaign.journeys import (
    FIRST_STEP,
    BranchStep,
    ContactStep,
    Journey,
    JourneyStep,
    SplitStep,
    UntilStep,
    leads,
)
from shared.errors import FieldError

_SHARE_TOLERANCE = 1e-9


def contacts_of(scheme: Scheme) -> Iterator[tuple[str, str, Arm]]:
    """Everything the scheme says to customers, with pointer and step: each arm's first contact and those of
    its journey, which are the arm with another channel and other texts.
    """
    for index, arm in enumerate(scheme.arms):
        pointer = f"/scheme/arms/{index}"
        yield pointer, FIRST_STEP, arm
        for number, step in enumerate(arm.journey.steps if arm.journey else []):
            if isinstance(step, ContactStep):
                yield f"{pointer}/journey/steps/{number}", step.key, at_step(arm, step)


def at_step(arm: Arm, step: ContactStep) -> Arm:
    said = {"channel": step.channel, "script": step.script, "materials": step.materials}
    return arm.model_copy(update=said)


def segments_of(scheme: Scheme) -> Iterator[tuple[str, str]]:
    """The segments that journeys look at, each with its pointer."""
    for index, key in enumerate(scheme.exit_segments):
        yield f"/scheme/exit_segments/{index}", key
    for index, arm in enumerate(scheme.arms):
        for number, step in enumerate(arm.journey.steps if arm.journey else []):
            pointer = f"/scheme/arms/{index}/journey/steps/{number}"
            match step:
                case UntilStep():
                    yield f"{pointer}/segment", step.segment
                case BranchStep():
                    for place, each in enumerate(step.cases):
                        if each.segment is not None:
                            yield f"{pointer}/cases/{place}/segment", each.segment


def contradictions(content: CampaignContent) -> Iterator[FieldError]:
    for index, arm in enumerate(content.scheme.arms if content.scheme else []):
        if arm.journey is not None:
            yield from _in_journey(f"/scheme/arms/{index}/journey", arm.journey)


def _in_journey(pointer: str, journey: Journey) -> Iterator[FieldError]:
    place = {step.key: index for index, step in reversed(list(enumerate(journey.steps)))}
    reached = {journey.steps[0].key}
    for index, step in enumerate(journey.steps):
        at = f"{pointer}/steps/{index}"
        if step.key == FIRST_STEP:
            yield FieldError(f"{at}/key", f"{FIRST_STEP} is the arm's own contact")
        if place[step.key] != index:
            yield FieldError(f"{at}/key", f"there is a step {step.key} already")
        elif step.key not in reached:
            yield FieldError(at, "no step leads here")
        for where, target in leads(step):
            if target is not None and place.get(target, -1) <= index:
                yield FieldError(f"{at}/{where}", f"there is no later step {target}")
            elif target is not None:
                reached.add(target)
        yield from _in_step(at, step)


def _in_step(pointer: str, step: JourneyStep) -> Iterator[FieldError]:
    match step:
        case SplitStep():
            total = math.fsum(path.share for path in step.paths)
            if abs(total - 1) > _SHARE_TOLERANCE:
                yield FieldError(f"{pointer}/paths", f"shares add up to {total:.6g}, not 1")
        case BranchStep():
            for index, each in enumerate(step.cases):
                if not each.outcomes and each.segment is None:
                    yield FieldError(f"{pointer}/cases/{index}", "names neither outcomes nor a segment")
