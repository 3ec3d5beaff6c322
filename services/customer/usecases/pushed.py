"""Events that partners push over NATS: the same intake as over HTTP, many messages a transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.exc import DBAPIError

from services.customer.domain.intake import (
    BATCH,
    LINES,
    SINGLE,
    Refused,
    UnreadableLine,
    decode,
    refused_as_foreign,
)
from services.customer.domain.quarantine import within_event
from services.customer.domain.vault import Vault
from services.customer.usecases.event_kinds import EventKinds
from services.customer.usecases.intake import Taken, rejected, take
from services.customer.usecases.quarantine import RefusedItem, Sender, keep
from shared.contracts.base import ProblemItem
from shared.contracts.customer import EventBatchResult, EventItemResult
from shared.errors import FieldError, ProblemError
from shared.pushed import Pushed, PushedConsumer
from shared.service import Runtime

DURABLE = "customer__intake"
_SENDER = Sender(org_path="hq", source=None)
"""Credentials of the broker are the bank's: what they send is not confined to a branch."""


@dataclass(frozen=True)
class _Place:
    """Where an event stood: its message, its index there, and how pointers into that message begin."""

    message: int
    index: int
    prefix: str


@dataclass(frozen=True)
class PushedIntake:
    """Takes batches of messages for a running process."""

    runtime: Runtime

    async def take(self, messages: Sequence[Pushed]) -> list[bytes]:
        """Commit what is usable, quarantine the rest; an EventBatchResult for each message."""
        await self.runtime.room.require()
        items: list[Any] = []
        places: list[_Place] = []
        refused: list[RefusedItem] = []
        found: list[list[EventItemResult]] = [[] for _ in messages]
        sizes = [0] * len(messages)
        for number, message in enumerate(messages):
            unpacked, single = _unpacked(message)
            sizes[number] = len(unpacked)
            for index, item in enumerate(unpacked):
                prefix = "" if single else f"/{index}"
                wrong = refused_as_foreign(item, message.source, index, prefix)
                if wrong is None:
                    items.append(item)
                    places.append(_Place(number, index, prefix))
                else:
                    refused.append(RefusedItem(item, within_event(wrong, prefix), message.source))
                    found[number].append(rejected(wrong))
        try:
            await self._commit(messages, items, places, refused, found)
        except DBAPIError as error:
            self.runtime.room.note(error)
            raise
        return [_answer(size, results) for size, results in zip(sizes, found, strict=True)]

    async def _commit(
        self,
        messages: Sequence[Pushed],
        items: Sequence[Any],
        places: Sequence[_Place],
        refused: list[RefusedItem],
        found: Sequence[list[EventItemResult]],
    ) -> None:
        vault, kinds = self.runtime.resource(Vault), self.runtime.resource(EventKinds)
        sources = {message.source for message in messages}
        actor = f"source:{sources.pop()}" if len(sources) == 1 else "intake"
        async with self.runtime.db.transaction(actor=actor) as session:
            if items:
                taken: Taken = await take(session, vault, kinds, items)
                for result in taken.result.items:
                    place = places[result.index]
                    found[place.message].append(_moved(result, place))
                for each in taken.refused:
                    source = messages[places[each.refused.index].message].source
                    refused.append(replace(each, source=source))
            await keep(session, vault, _SENDER, refused)

    async def give_up(self, message: Pushed, error: Exception) -> None:
        """Quarantine a message that fails again and again, whole."""
        wrong = Refused(0, None, (FieldError("", f"cannot be worked on: {type(error).__name__}"),))
        item = RefusedItem(UnreadableLine(message.payload), wrong, message.source)
        async with self.runtime.db.transaction() as session:
            await keep(session, self.runtime.resource(Vault), _SENDER, [item])


async def take_from_partners(runtime: Runtime) -> None:
    """Endless work: take what partners push."""
    intake = PushedIntake(runtime)
    await PushedConsumer(runtime.bus, DURABLE, intake.take, intake.give_up).run()


def _unpacked(message: Pushed) -> tuple[list[Any], bool]:
    """The events of a message and whether it is a lone one; a message that is no batch counts as one line."""
    stated = message.content_type.partition(";")[0].strip().lower()
    if stated not in {BATCH, SINGLE, LINES}:
        stated = BATCH if message.payload.lstrip()[:1] == b"[" else SINGLE
    try:
        return decode(message.payload, stated), stated == SINGLE
    except ProblemError:
        return [UnreadableLine(message.payload)], True


def _moved(result: EventItemResult, place: _Place) -> EventItemResult:
    """With index and pointers as the partner counts."""
    problem = result.problem
    if problem is not None and problem.errors:
        ours = f"/{result.index}"
        errors = [
            ProblemItem(pointer=place.prefix + error.pointer.removeprefix(ours), detail=error.detail)
            for error in problem.errors
        ]
        problem = problem.model_copy(update={"errors": errors})
    return result.model_copy(update={"index": place.index, "problem": problem})


def _answer(size: int, found: Sequence[EventItemResult]) -> bytes:
    counts = dict.fromkeys(("duplicate", "parked", "rejected"), 0)
    for result in found:
        counts[result.status] += 1
    answer = EventBatchResult(
        accepted=size - sum(counts.values()), items=sorted(found, key=lambda item: item.index), **counts
    )
    return answer.model_dump_json(exclude_none=True).encode()
