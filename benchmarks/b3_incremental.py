"""B3: from an event on the stream to `SegmentUpdated` delivered, against a bare loop over the same facts.

Events come 1,000 a second onto the customer stream as the customer service's relay publishes them, while 50
segments with windows are live. Now and then one makes a customer join a segment of its own: its lag is
measured. The bare loop receives the same stream, asks one SELECT by hand for the customers of the batch and
publishes an answer; it keeps nothing, neither the events nor the members. Of the same events it is measured
when the task is there that a campaign makes of the joining, against when the joining was told.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import nats
import orjson
import psycopg
from nats.aio.msg import Msg
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, StreamConfig

from benchmarks.b2_segments import BY_HAND, EVENTS_A_CUSTOMER, fill
from benchmarks.b2_segments import RULES as PLAIN_RULES
from benchmarks.b3_campaign import campaign_service, open_campaign
from benchmarks.figure import at_most
from benchmarks.workplace import Workplace
from services.segmentation.domain.rules.compiler import Moment
from services.segmentation.store.store import Store, set_watermark
from services.segmentation.usecases.feed import STREAM
from shared.auth import Role
from shared.contracts.events import (
    ContactsAssigned,
    CustomerEventsRecorded,
    RecordedEvent,
    SegmentUpdated,
)
from shared.outbox import row

RATE = 1_000
A_MESSAGE = 10
SECONDS = 20
WARM_SECONDS = 5
PROBES_A_SECOND = 20
TARGET = 3.0
TO_TASK = 3.0
"""Of the way to the segment: what the campaign service adds is no more than twice that."""
PROBE = "probe"
_STORE_FILE = "benchmark.duckdb"
_TYPES = ("transaction.posted", "transaction.posted", "login", "card.spent")
_TEMPLATES = (
    "count_events('transaction.posted', {days}) >= {few} and gender = 'F'",
    "count_events('login', {days}) = 0 and aum >= {big}",
    "sum_events('card.spent', amount, {days}) > {small}",
)
RULES = (
    *PLAIN_RULES[:34],
    *(
        template.format(days=days, few=1 + days % 3, big=2_000 * days, small=20 * days)
        for days in (1, 3, 7, 30, 60)
        for template in _TEMPLATES
    ),
    "count_events('complaint.filed', 1) >= 1",
)


@dataclass
class Lags:
    """Seconds from publishing to the answer, by customer."""

    published: dict[str, float] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    def answered(self, customer: str) -> None:
        if (began := self.published.pop(customer, None)) is not None:
            self.seconds.append(time.perf_counter() - began)

    def quantile(self, share: float) -> float:
        if not self.seconds or self.published:
            raise RuntimeError(f"{len(self.published)} of the probes were never answered")
        return sorted(self.seconds)[int(len(self.seconds) * share)]


async def run(place: Workplace, size: int) -> list[dict[str, Any]]:
    """Lag of the service and of the bare loop, as ratios, at a sustained rate."""
    folder = Path(place.servers.environment("segmentation")["HUANYING_DATA_DIR"])
    moment = Moment(datetime.now(UTC), ZoneInfo("Asia/Shanghai"))
    ids = await asyncio.to_thread(_fill, folder, size, moment)
    connection = await nats.connect(place.servers.nats.url)
    try:
        bare = await _bare(connection.jetstream(), folder / _STORE_FILE, ids)
        ours, tasks = await _service(place, connection.jetstream(), ids)
    finally:
        await connection.close()
    return [
        row
        for name, share in (("p50", 0.5), ("p99", 0.99))
        for row in (
            _row(name, ours.quantile(share), bare.quantile(share)),
            _task_row(name, tasks.quantile(share), ours.quantile(share)),
        )
    ]


def _fill(folder: Path, size: int, moment: Moment) -> list[UUID]:
    """A store as it would be after a year; ids of the customers, the first one's in front."""
    store = Store(folder / _STORE_FILE, memory="8GB")
    try:
        fill(store, size, moment)
        with store.write() as cursor:
            set_watermark(cursor, STREAM, 0)
        with store.read() as cursor:
            rows = cursor.execute("SELECT customer_id FROM customer ORDER BY ordinal").fetchall()
    finally:
        store.close()
    return [customer_id for (customer_id,) in rows]


# ── the load ──


async def _load(js: JetStreamContext, prefix: str, ids: list[UUID], lags: Lags, *others: Lags) -> float:
    """Events at `RATE` for warming up and for measuring; the rate that was reached."""
    dice = Random(7)  # noqa: S311 - a load, not a secret
    sequence = len(ids) * EVENTS_A_CUSTOMER
    probed = dice.sample(range(len(ids)), PROBES_A_SECOND * SECONDS)
    messages = RATE // A_MESSAGE * (WARM_SECONDS + SECONDS)
    began = time.perf_counter()
    for number in range(messages):
        measured = number * A_MESSAGE / RATE - WARM_SECONDS
        events = [_event(sequence + n, dice.randrange(len(ids)), ids, dice) for n in range(A_MESSAGE)]
        if measured >= 0 and probed and measured * PROBES_A_SECOND >= len(lags.published) + len(lags.seconds):
            customer = probed.pop()
            events[0] = _event(sequence, customer, ids, dice, "complaint.filed")
            for each in (lags, *others):
                each.published[str(ids[customer])] = time.perf_counter()
        sequence += A_MESSAGE
        message = row(CustomerEventsRecorded(events=events))
        await js.publish(message["subject"].replace("customer.", prefix, 1), message["payload"])
        await asyncio.sleep(max(0.0, began + (number + 1) * A_MESSAGE / RATE - time.perf_counter()))
    return messages * A_MESSAGE / (time.perf_counter() - began)


def _event(
    sequence: int, index: int, ids: list[UUID], dice: Random, type_: str | None = None
) -> RecordedEvent:
    amount = f"{dice.randrange(100_000) / 100:.2f}"
    return RecordedEvent(
        seq=sequence,
        event_id=f"b3-{sequence}",
        source="core-banking",
        type=type_ or dice.choice(_TYPES),
        customer_id=ids[index],
        ordinal=index + 1,
        time=datetime.now(UTC),
        data={"amount": amount, "direction": dice.choice(["in", "out"]), "channel": "mobile"},
    )


async def _answered(lags: Lags, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while lags.published and time.monotonic() < deadline:  # noqa: ASYNC110 - a benchmark may look
        await asyncio.sleep(0.02)


# ── the bare loop ──


async def _bare(js: JetStreamContext, file: Path, ids: list[UUID]) -> Lags:
    await js.add_stream(StreamConfig(name="BARE", subjects=["bare.>"]))
    lags = Lags()
    store = Store(file, memory="4GB")
    over = asyncio.Event()
    loop = asyncio.create_task(_bare_loop(js, store, over))

    async def answer(message: Msg) -> None:
        for customer in orjson.loads(message.data):
            lags.answered(customer)

    subscription = await js._nc.subscribe("bare.answer", cb=answer)  # noqa: SLF001 - the same connection
    try:
        await _load(js, "bare.", ids, lags)
        await _answered(lags)
    finally:
        over.set()
        await loop
        await subscription.unsubscribe()
        store.close()
    return lags


async def _bare_loop(js: JetStreamContext, store: Store, over: asyncio.Event) -> None:
    config = ConsumerConfig(deliver_policy=DeliverPolicy.ALL, ack_policy=AckPolicy.NONE)
    subscription = await js.pull_subscribe("bare.events_recorded.>", stream="BARE", config=config)
    while not over.is_set():
        try:
            messages = await subscription.fetch(256, timeout=0.05)
        except (NatsTimeoutError, TimeoutError):
            continue
        events = [event for message in messages for event in orjson.loads(message.data)["data"]["events"]]
        await asyncio.to_thread(_select, store, [event["ordinal"] for event in events])
        await js.publish("bare.answer", orjson.dumps([event["customer_id"] for event in events]))


def _select(store: Store, ordinals: list[int]) -> None:
    """One SELECT by hand with 50 boolean columns for these customers."""
    some = "ordinal IN (SELECT unnest($only::INTEGER[]))"
    sql = (
        BY_HAND.replace("WHERE NOT closed", f"WHERE NOT closed AND {some}")
        .replace("GROUP BY ordinal)\nSELECT", f"AND {some} GROUP BY ordinal)\nSELECT")
        .replace("FROM customer", f"FROM (FROM customer WHERE {some})")
    )
    columns = ", ".join(f"({text}) AS s{number:02}" for number, text in enumerate(PLAIN_RULES))
    with store.read() as cursor:
        cursor.execute(f"SELECT ordinal, {columns} FROM ({sql})", {"only": ordinals}).fetchnumpy()


# ── the service ──


async def _service(place: Workplace, js: JetStreamContext, ids: list[UUID]) -> tuple[Lags, Lags]:
    """To the segment, and to the task."""
    lags, tasks = Lags(), Lags()

    async def updated(message: Msg) -> None:
        event = orjson.loads(message.data)["data"]
        if event["key"] == PROBE:
            for customer in event["joined"]:
                lags.answered(customer)

    async def assigned(message: Msg) -> None:
        for contact in orjson.loads(message.data)["data"]["contacts"]:
            tasks.answered(contact["customer_id"])

    settings = {"HUANYING_STORE_FILE": _STORE_FILE, "HUANYING_STORE_MEMORY": "6GB"}
    async with place.service("segmentation", **settings) as service:
        await _publish_rules(place, service.url, RULES[:-1])
        async with campaign_service(place, js, ids) as campaign:
            await _publish_rules(place, service.url, RULES[-1:])
            await open_campaign(place, campaign.url, PROBE)
            heard = [
                await js._nc.subscribe(f"{event.SUBJECT}.>", cb=told)  # noqa: SLF001 - the same connection
                for event, told in ((SegmentUpdated, updated), (ContactsAssigned, assigned))
            ]
            rate = await _load(js, "customer.", ids, lags, tasks)
            await _answered(lags)
            await _answered(tasks)
            for subscription in heard:
                await subscription.unsubscribe()
    print(f"{len(ids):,} customers: {rate:,.0f} events/s, {len(lags.seconds)} of them measured", flush=True)
    return lags, tasks


async def _publish_rules(place: Workplace, url: str, rules: Sequence[str]) -> None:
    """Until they are evaluated, proven right, and all that they had to tell has been told."""
    headers = {"Authorization": f"Bearer {place.token(Role.strategist)}"}
    async with httpx.AsyncClient(base_url=url, timeout=300, headers=headers) as client:
        for sql in rules:
            number = RULES.index(sql)
            key = PROBE if number == len(RULES) - 1 else f"s{number:02}"
            body = {"key": key, "name": {"zh": key, "en": key}, "definition": {"sql": sql}}
            (await client.post("/v1/segments", json=body)).raise_for_status()
            (await client.post(f"/v1/segments/{key}:publish")).raise_for_status()
        await _until(lambda: _all_evaluated(client))
        audit = (await client.post("/v1/segments:audit")).raise_for_status().json()
        if audit["differences"] or len(audit["segments"]) != RULES.index(rules[-1]) + 1:
            raise RuntimeError(f"audit: {audit}")
    conninfo = place.servers.postgres.url("segmentation", "postgres").replace("+psycopg", "")
    async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
        await _until(lambda: _all_told(connection))


async def _all_evaluated(client: httpx.AsyncClient) -> bool:
    page = (await client.get("/v1/segments", params={"limit": 100})).raise_for_status().json()
    return all(item["evaluated_version"] == item["live_version"] for item in page["items"])


async def _all_told(connection: psycopg.AsyncConnection[Any]) -> bool:
    unsent = await connection.execute("SELECT EXISTS (SELECT FROM outbox WHERE sent_at IS NULL)")
    return (await unsent.fetchone()) == (False,)


async def _until(check: Callable[[], Awaitable[bool]], seconds: float = 600) -> None:
    deadline = time.monotonic() + seconds
    while not await check():
        if time.monotonic() > deadline:
            raise RuntimeError("the segments were not evaluated and told")
        await asyncio.sleep(0.2)


def _row(name: str, ours: float, bare: float) -> dict[str, Any]:
    what = f"event to SegmentUpdated at {RATE:,} events/s, 50 segments, {name}"
    return at_most(what, f"{ours * 1000:.0f} ms", f"bare loop {bare * 1000:.0f} ms", ours / bare, TARGET)


def _task_row(name: str, task: float, segment: float) -> dict[str, Any]:
    what = f"event to task at {RATE:,} events/s, 50 segments, {name}"
    reference = f"to SegmentUpdated {segment * 1000:.0f} ms"
    return at_most(what, f"{task * 1000:.0f} ms", reference, task / segment, TO_TASK)
