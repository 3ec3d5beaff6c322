"""A script as a graph: steps, the answers to them, and where each leads."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from shared.contracts.campaign.scripts import PathStep, ScriptStep
from shared.errors import FieldError

END = ""
"""The end of the contact, as a step that nothing follows."""


def following(steps: Sequence[ScriptStep]) -> dict[str, str | None]:
    """What comes after a step that asks for no answer; None: the script is over, or an answer decides."""
    after = [*(step.key for step in steps[1:]), None]
    return {step.key: None if step.answers else key for step, key in zip(steps, after, strict=True)}


def faults(steps: Sequence[ScriptStep]) -> list[FieldError]:
    """Answers that lead nowhere, steps nobody comes to, and steps from which no end is reached."""
    missing = list(_missing(steps))
    if missing:
        return missing
    leads = _leads(steps)
    reached = _reach(steps[0].key, leads)
    ending = _reach(END, _turned(leads))
    return [
        FieldError(f"/steps/{index}", detail)
        for index, step in enumerate(steps)
        for holds, detail in (
            (step.key in reached, "no answer leads here"),
            (step.key in ending, "no end is reached from here"),
        )
        if not holds
    ]


def departures(steps: Sequence[ScriptStep], path: Sequence[PathStep]) -> list[FieldError]:
    """Where a told way leaves the script. It may break off anywhere, but not skip."""
    known = {step.key: step for step in steps}
    follows = following(steps)
    expected: str | None = steps[0].key
    for index, told in enumerate(path):
        if told.step not in known:
            return [FieldError(f"/path/{index}/step", f"the script has no step {told.step}")]
        if told.step != expected:
            return [FieldError(f"/path/{index}/step", f"the way leads to {expected or 'the end'} here")]
        answers = {answer.key: answer for answer in known[told.step].answers}
        if told.answer is None:
            expected = follows[told.step]
        elif told.answer in answers:
            expected = answers[told.answer].next
        else:
            return [FieldError(f"/path/{index}/answer", f"step {told.step} has no answer {told.answer}")]
    return []


def _missing(steps: Sequence[ScriptStep]) -> Iterable[FieldError]:
    known = {step.key for step in steps}
    for number, step in enumerate(steps):
        for index, answer in enumerate(step.answers):
            if answer.next is not None and answer.next not in known:
                yield FieldError(f"/steps/{number}/answers/{index}/next", f"there is no step {answer.next}")


def _leads(steps: Sequence[ScriptStep]) -> dict[str, set[str]]:
    follows = following(steps)
    return {
        step.key: {answer.next or END for answer in step.answers} or {follows[step.key] or END}
        for step in steps
    }


def _turned(leads: Mapping[str, set[str]]) -> dict[str, set[str]]:
    turned: dict[str, set[str]] = {}
    for step, targets in leads.items():
        for target in targets:
            turned.setdefault(target, set()).add(step)
    return turned


def _reach(start: str, leads: Mapping[str, set[str]]) -> set[str]:
    reached, waiting = {start}, deque([start])
    while waiting:
        new = leads.get(waiting.popleft(), set()) - reached
        reached |= new
        waiting.extend(new)
    return reached
