"""A year of events, pushed as a partner system would: batches of a thousand, several on the way."""

import asyncio
from collections.abc import Iterator

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from deploy.demo.api import Raw
from deploy.demo.bank.columns import join
from deploy.demo.errors import DemoError
from deploy.demo.memory import Result
from deploy.demo.narration import Advance
from deploy.demo.scene import Scene, until

EVENTS_AT_ONCE = 1_000
BATCHES_IN_FLIGHT = 4
CLOUD_EVENTS = "application/cloudevents-batch+json"
QUIET_SECONDS = 3.0
_REMEMBER_EVERY = 50


async def load_events(scene: Scene) -> Result:
    total = sum(batch.num_rows for batch in scene.world.data.events())
    return await send_events(scene, "events", scene.world.data.events(), total)


async def send_events(scene: Scene, name: str, batches: Iterator[pa.RecordBatch], total: int) -> Result:
    """An interrupted demonstration goes on after the last batch that is sure to have arrived."""
    with scene.narrator.counting(name.replace("_", " "), total) as advance:
        post = _Post(scene, name, advance)
        async with asyncio.TaskGroup() as group:
            for number, batch in enumerate(_thousands(batches)):
                if number < post.resume_at:
                    advance(batch.num_rows)
                    continue
                await post.places.acquire()
                group.create_task(post.send(number, batch))
    return {"events": total, "accepted": post.accepted, "duplicate": post.duplicate}


class _Post:
    """Sends batches; those before `resume_at` were sent by an earlier, interrupted run."""

    def __init__(self, scene: Scene, name: str, advance: Advance) -> None:
        self.places = asyncio.Semaphore(BATCHES_IN_FLIGHT)
        self.resume_at = int(scene.memory.notes.get(name, 0))
        self.accepted = self.duplicate = 0
        self._scene, self._name, self._advance = scene, name, advance
        self._source = scene.api.source(scene.world.data.source)
        self._arrived: set[int] = set()
        self._sure = self.resume_at

    async def send(self, number: int, batch: pa.RecordBatch) -> None:
        try:
            answer = await self._source.post("customer/v1/events", Raw(cloud_events(batch), CLOUD_EVENTS))
        finally:
            self.places.release()
        if answer["rejected"] or answer["parked"]:
            raise DemoError(f"events were not taken: {orjson.dumps(answer)[:600].decode()}")
        self.accepted += answer["accepted"]
        self.duplicate += answer["duplicate"]
        self._advance(batch.num_rows)
        self._remember(number)

    def _remember(self, number: int) -> None:
        """Batches overtake each other: sure are those before which everything has arrived."""
        self._arrived.add(number)
        while self._sure in self._arrived:
            self._arrived.remove(self._sure)
            self._sure += 1
            if self._sure % _REMEMBER_EVERY == 0:
                self._scene.memory.note(self._name, self._sure)


def _thousands(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for start in range(0, batch.num_rows, EVENTS_AT_ONCE):
            yield batch.slice(start, EVENTS_AT_ONCE)


def cloud_events(batch: pa.RecordBatch) -> bytes:
    """The batch as CloudEvents JSON. `data` is JSON already; the other texts need no escaping."""
    local = pc.strftime(batch["time"], format="%Y-%m-%dT%H:%M:%S%z")
    time = join(pc.utf8_slice_codeunits(local, 0, 22), ":", pc.utf8_slice_codeunits(local, 22))
    texts = join(
        '{"specversion":"1.0","id":"', batch["id"], '","source":"', batch["source"], '","type":"',
        batch["type"], '","subject":"', batch["subject"], '","time":"', time, '","data":', batch["data"], "}",
    )  # fmt: skip
    return f"[{','.join(texts.to_pylist())}]".encode()


async def wait_for_segmentation(scene: Scene) -> Result:
    """Until segmentation has followed the customer stream to its end."""
    (stream,) = await _follow(scene, "segmentation", senders=("customer",))
    return {"messages": stream["applied"]}


async def wait_for_evaluation(scene: Scene) -> Result:
    streams = await _follow(scene, "evaluation", senders=("customer", "campaign"))
    return {"messages": {stream["stream"]: stream["watermark"] for stream in streams}}


async def _follow(scene: Scene, reader: str, senders: tuple[str, ...]) -> list[Result]:
    """Until nothing lags and, from senders who can send, nothing new has come for a while.

    A sender that was down still has to publish what it took before: its silence says nothing.
    """
    loop = asyncio.get_running_loop()
    seen: list[int] = []
    since = loop.time()

    async def settled() -> list[Result] | None:
        nonlocal seen, since
        sending = all([await scene.api.is_ready(sender) for sender in senders])
        found = await scene.strategist.get(f"{reader}/v1/feed")
        streams: list[Result] = found.get("streams") or [found]
        ends = [int(stream.get("last_sequence") or stream.get("last") or 0) for stream in streams]
        if not sending or ends != seen or any(stream["lag"] for stream in streams):
            seen, since = ends, loop.time()
        return streams if loop.time() - since >= QUIET_SECONDS else None

    with scene.narrator.counting(f"{reader} catching up", 1) as advance:
        streams = await until(f"{reader} catching up", settled, seconds=1_800)
        advance(1)
    return streams
