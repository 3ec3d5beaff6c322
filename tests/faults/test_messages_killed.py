"""SIGKILL while a campaign sends messages and managers call: nobody is contacted twice, nothing is lost, and
`unknown` is only what nobody can know.
"""

import asyncio
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from deploy.demo.api import Api, Caller, Json
from deploy.demo.bank import generate
from deploy.demo.errors import RefusedError
from deploy.demo.load import load_customers, load_organisation
from deploy.demo.memory import Memory
from deploy.demo.narration import Narrator
from deploy.demo.plot import SYNTHETIC
from deploy.demo.scene import Scene
from deploy.demo.world import SyntheticWorld
from deploy.embedded.ports import free_port
from deploy.embedded.stack import Stack
from shared import clock
from shared.auth import Role
from tests.faults.provider import Provider, provider

VICTIMS = ("campaign", "worker", "nats", "postgres")
"""The service that answers and works, a second worker, and what both need."""
LEASE_SECONDS = 10
TEXT = {"zh": "您好", "en": "Hello"}


@dataclass
class Raid:
    """Kills one victim after another at random moments, and gives each time to come back."""

    stack: Stack
    rounds: int
    dice: random.Random
    moments: list[tuple[str, datetime]] = field(default_factory=list)
    worker: subprocess.Popen[bytes] | None = None

    def run(self, stop: threading.Event) -> None:
        left = [victim for victim in VICTIMS for _ in range(self.rounds)]
        self.dice.shuffle(left)
        while left and not stop.wait(self.dice.uniform(0.5, 3.0)):
            victim = left.pop()
            if victim == "worker":
                self._kill_worker()
            else:
                self.stack.wait_ready("campaign", timeout=240)
                self.stack.kill(victim)
            self.moments.append((victim, datetime.now(UTC)))
            stop.wait(3)
        self.stack.wait_ready("campaign", timeout=240)

    def start_worker(self) -> None:
        """A second worker of the campaign service, with the settings of the first."""
        pid = self.stack.pid("campaign")
        given = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        environment = dict(entry.decode().split("=", 1) for entry in given if entry)
        environment["HUANYING_PORT"] = str(free_port())
        self.worker = subprocess.Popen(
            [sys.executable, "-m", "services.campaign.worker"],
            env={**os.environ, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _kill_worker(self) -> None:
        self.end_worker()
        self.stack.wait_ready("campaign", timeout=240)
        self.start_worker()

    def end_worker(self) -> None:
        if self.worker is not None:
            self.worker.kill()
            self.worker.wait()


@contextmanager
def _raiding(raid: Raid) -> Iterator[threading.Thread]:
    stop = threading.Event()
    raid.start_worker()
    thread = threading.Thread(target=raid.run, args=(stop,))
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join()
        raid.end_worker()


@pytest.mark.faults
def test_messages_survive_kills(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The short form: everything once."""
    _survive(tmp_path, monkeypatch, capsys, customers=500, calls=12, rounds=1, slowness=0.8)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.faults
def test_twenty_thousand_contacts_survive_kills(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    rounds = request.config.getoption("--faults-rounds")
    _survive(tmp_path, monkeypatch, capsys, customers=42_000, calls=300, rounds=rounds, slowness=0.5)


def _survive(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    customers: int,
    calls: int,
    rounds: int,
    slowness: float,
) -> None:
    monkeypatch.setenv("HUANYING_WEBHOOK_ALLOW", "127.0.0.1")
    monkeypatch.setenv("HUANYING_MESSAGE_LEASE_SECONDS", str(LEASE_SECONDS))
    data_dir = tmp_path / "stack"
    with provider(rounds, slowness) as carrier, Stack(data_dir, port=0) as stack:
        raid = Raid(stack, rounds, random.Random(rounds))
        recorded = asyncio.run(_campaign(stack, carrier, raid, customers, calls))
        lines = _rows(stack, "SELECT id::text, state, submitted_at, attempts FROM message")
        twice = _rows(stack, "SELECT contact_id FROM attempt GROUP BY contact_id HAVING count(*) > 1")
        attempts = _rows(stack, "SELECT count(*) FROM attempt")[0][0]
    states = Counter(line[1] for line in lines)
    struck = Counter(victim for victim, _ in raid.moments)
    with capsys.disabled():
        print(f"\nkilled {dict(struck)}; messages {dict(states)}; calls recorded {attempts}")
    assert struck == Counter(dict.fromkeys(VICTIMS, rounds))
    assert [message for message, count in carrier.taken.items() if count > 1] == []
    assert set(carrier.taken) <= {line[0] for line in lines}
    assert set(states) <= {"accepted", "unknown", "failed", "expired"}
    accepted = {line[0] for line in lines if line[1] == "accepted"}
    assert accepted <= carrier.answered
    # Whatever the provider took is in the books as sent, or as unknown.
    closed = {line[0]: line[1] for line in lines}
    assert {closed[message] for message in carrier.taken} <= {"accepted", "unknown"}
    assert [line for line in lines if line[1] == "unknown" and not _excused(line, carrier, raid)] == []
    assert twice == []
    assert attempts == recorded


def _excused(line: tuple[Any, ...], carrier: Provider, raid: Raid) -> bool:
    """The answer was lost on its way, or whoever waited for it was killed before writing it down."""
    message, _, submitted_at, _ = line
    if message in carrier.lost:
        return True
    end = submitted_at + timedelta(seconds=LEASE_SECONDS + 5)
    return any(submitted_at <= at <= end for victim, at in raid.moments if victim in {"campaign", "worker"})


def _rows(stack: Stack, statement: str) -> list[tuple[Any, ...]]:
    url = stack.postgres.url("campaign").replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(statement).fetchall()  # type: ignore[arg-type]  # constants of this file


async def _campaign(stack: Stack, carrier: Provider, raid: Raid, customers: int, calls: int) -> int:
    """One campaign, half by text message and half by call, raided; how many calls were recorded."""
    world = SyntheticWorld(generate(customers, 3, clock.today()))
    memory = Memory.at(stack.data_dir / "raid.json", {}, begun=datetime.now(UTC).isoformat())
    async with Api(stack.base_url, stack.keyring) as api:
        scene = Scene(api, world, SYNTHETIC, memory, Narrator(), stack.data_dir)
        await load_organisation(scene)
        await load_customers(scene)
        who, checker = scene.strategist, scene.approver
        await _segment(who, customers)
        path = await _approved(who, checker, carrier)
        with _raiding(raid) as raiding:
            await who.post(f"{path}:launch", key="launch")
            recorded = await _call(scene, path, calls)
            await _drained(who, path, raiding)
            with pytest.raises(RefusedError, match="still open"):
                await who.post(f"{path}:complete", {"expire_open": False})
            await who.post(f"{path}:complete", {"expire_open": True}, key="complete")
        progress = await who.get(f"{path}/progress")
    assert progress["balanced"], progress
    ledger = progress["ledger"]
    assert ledger["open"] == 0
    assert ledger["audience"] == sum(ledger["suppressed"].values()) + ledger["held_out"] + ledger["assigned"]
    assert ledger["assigned"] == ledger["done"] + ledger["expired"]
    return recorded


async def _segment(who: Caller, customers: int) -> None:
    name = {"zh": "全部", "en": "Everybody"}
    body = {
        "key": "everybody",
        "name": name,
        "kind": "rule",
        "refresh": "realtime",
        "definition": {"sql": "age >= 0"},
    }
    made = await who.post("segmentation/v1/segments", body, key="segment")
    await who.post(f"segmentation/v1/segments/{made['id']}:publish", key="publish")

    async def full() -> bool:
        size = (await who.get(f"segmentation/v1/segments/{made['id']}"))["size"]
        return bool(size and size > customers * 0.5)

    await _until(full, "the segment")


async def _approved(who: Caller, checker: Caller, carrier: Provider) -> str:
    offer = {**SYNTHETIC.offer, "risk": "R1"}
    await who.post("campaign/v1/offers", offer, key="offer")
    script = {"key": "raid", "name": TEXT, "steps": [{"key": "hello", "text": TEXT}], "minutes": 5}
    ref = (await who.post("campaign/v1/scripts", script, key="script"))["ref"]
    await checker.post(f"campaign/v1/scripts/{ref}:approve", {}, key="script-approval")
    channel = {
        "key": "raid-sms",
        "kind": "sms",
        "name": TEXT,
        "consent": "sms",
        "connector": {"type": "webhook", "url": carrier.url},
        "secret": "whsec_" + "a2" * 16,
        "per_minute": 1_000_000,
        "daily_capacity": 1_000_000,
        "cost": "0.05",
    }
    await who.post("campaign/v1/channels", channel, key="channel")
    await who.post("campaign/v1/channels/raid-sms:enable", key="enable")
    arm = {"offer": offer["key"], "script": ref}
    today = clock.today()
    body = {
        "key": "raid",
        "name": TEXT,
        "objective": {"primary_metric": "net_inflow_30d"},
        "scheme": {
            "scenario": {"kind": "product", "detail": {}},
            "arms": [
                {**arm, "key": "call", "share": 0.45, "channel": "manager_task"},
                {**arm, "key": "sms", "share": 0.45, "channel": "raid-sms"},
            ],
            "hold_out": 0.1,
        },
        "people": {"owner": "S1", "orgs": ["hq"]},
        "schedule": {"start": today.isoformat(), "end": (today + timedelta(days=30)).isoformat()},
        "responsibility": {"accountable": "S1"},
        "audience": {"include": ["everybody"]},
    }

    async def known() -> bool:
        try:
            made = await who.post("campaign/v1/campaigns", body, key="campaign")
            path = f"campaign/v1/campaigns/{made['id']}"
            return bool((await who.post(f"{path}:simulate"))["audience"] > 0)
        except RefusedError:
            return False

    await _until(known, "the segment at the campaign service")
    made = await who.post("campaign/v1/campaigns", body, key="campaign")
    path = f"campaign/v1/campaigns/{made['id']}"
    await who.post(f"{path}:submit", key="submit")
    await checker.post(f"{path}:approve", {}, key="approve")
    return path


async def _call(scene: Scene, path: str, calls: int) -> int:
    """So many calls by managers, each begun and recorded once, whoever is killed meanwhile."""

    async def running() -> bool:
        return bool((await scene.strategist.get(path))["status"] == "running")

    await _until(running, "the launch")
    recorded = 0
    for row in scene.world.data.staff.to_pylist():
        if row["role"] != "manager" or recorded >= calls:
            continue
        manager = scene.api.staff(row["code"], Role.manager, row["org"])
        tasks = [task async for task in manager.pages("campaign/v1/tasks")]
        for task in tasks[: calls - recorded]:
            recorded += await _attempt(manager, task)
    assert recorded >= calls / 2
    return recorded


async def _attempt(manager: Caller, task: Json) -> bool:
    path, key = f"campaign/v1/tasks/{task['id']}", str(task["id"])
    begun = await manager.post(f"{path}:start", {}, key=f"{key}-start")
    if begun["state"] != "started":
        return False
    await manager.post(f"{path}:record", {"disposition": "refused", "minutes": "2"}, key=f"{key}-record")
    return True


async def _drained(who: Caller, path: str, raiding: threading.Thread) -> None:
    async def drained() -> bool:
        if raiding.is_alive():
            return False
        counts = await who.get(f"{path}/message-counts")
        states: Counter[str] = Counter()
        for channel in counts["items"]:
            states.update(channel["states"])
        return bool(states) and not any(states[name] for name in ("planned", "claimed", "submitting"))

    await _until(drained, "the end of all messages", seconds=3600)


async def _until(check: Any, what: str, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not await check():
        assert time.monotonic() < deadline, f"{what} did not come within {seconds:g} s"
        await asyncio.sleep(0.5)
