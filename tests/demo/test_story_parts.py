"""The parts of the story that stand alone: contracts of what it sends, patience, memory."""

import json
import threading
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path

import pyarrow as pa
import pytest
from pydantic import TypeAdapter
from rich.console import Console

from deploy.demo.api import Api, Caller
from deploy.demo.bank import Bank
from deploy.demo.errors import DemoError, RefusedError
from deploy.demo.limits import CONTACT_POLICY, PRICES
from deploy.demo.memory import Memory
from deploy.demo.narration import Narrator
from deploy.demo.plot import BERKA, SYNTHETIC, Plot, campaign
from deploy.demo.posting import cloud_events
from deploy.demo.story import make_world
from deploy.embedded.keyring import Keyring
from shared.contracts.campaign import CampaignWrite, OfferWrite, ScriptWrite
from shared.contracts.campaign.contact_policies import ContactPolicyWrite
from shared.contracts.campaign.price_lists import PriceListWrite
from shared.contracts.customer import CloudEventIn
from shared.contracts.metrics import MetricCreate
from shared.contracts.segmentation import ModelCreate, SegmentCreate


@pytest.mark.parametrize("plot", [SYNTHETIC, BERKA])
def test_what_the_story_sends_satisfies_the_contracts(plot: Plot) -> None:
    keys = [SegmentCreate.model_validate(body).key for body in plot.segments]
    assert set(plot.include) | set(plot.exclude) <= set(keys)
    offer = OfferWrite.model_validate(plot.offer)
    script = ScriptWrite.model_validate(plot.script)
    body = campaign(plot, f"{script.key}@1", "S0002", "S0001", ["hq"], date(2026, 10, 17))
    written = CampaignWrite.model_validate(body)
    assert written.scheme is not None
    assert written.scheme.arms[0].offer == offer.key
    assert sum(arm.share for arm in written.scheme.arms) + written.scheme.hold_out == 1
    assert None not in (written.objective, written.people, written.schedule, written.responsibility)
    assert ContactPolicyWrite.model_validate(CONTACT_POLICY).key == written.scheme.contact_policy
    assert PriceListWrite.model_validate(PRICES[plot.currency]).currency == plot.currency
    if plot.metric:
        assert MetricCreate.model_validate(plot.metric).currency == plot.currency == offer.currency


@pytest.mark.parametrize("plot", [SYNTHETIC, BERKA])
def test_models_ask_for_features_that_exist(plot: Plot) -> None:
    from services.segmentation.domain.feature_catalogue import BUILT_IN

    assert set(plot.features) <= {feature.key for feature in BUILT_IN}
    parameters = {"features": list(plot.features), "k": "auto"}
    name = {"zh": "原型", "en": "Archetypes"}
    body = {"key": "a", "name": name, "kind": "ensemble", "parameters": parameters}
    TypeAdapter(ModelCreate).validate_python(body)


def test_events_are_cloud_events(bank: Bank) -> None:
    batch = next(bank.events(chunk=500))
    events = TypeAdapter(list[CloudEventIn]).validate_json(cloud_events(batch))
    assert [event.id for event in events] == batch["id"].to_pylist()
    assert [event.time for event in events] == batch["time"].to_pylist()
    assert [event.data for event in events] == [json.loads(text) for text in batch["data"].to_pylist()]


class Flaky(BaseHTTPRequestHandler):
    """Breaks off, then is unavailable, then answers; some paths refuse for good."""

    calls: list[tuple[str, str | None]] = []  # noqa: RUF012  one server, one list

    def do_POST(self) -> None:
        self.calls.append((self.path, self.headers.get("Idempotency-Key")))
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        tries = sum(path == self.path for path, _ in self.calls)
        if self.path.endswith("refused"):
            problem = {
                "type": "/problems/invalid",
                "detail": "no",
                "errors": [{"pointer": "/a", "detail": "b"}],
            }
            self.answer(422, json.dumps(problem))
        elif tries == 1:
            self.close_connection = True
        else:
            self.answer(503 if tries == 2 else 201, '{"done": true}')

    def answer(self, status: int, body: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """A test run needs no access log."""


@pytest.fixture
def flaky() -> Iterator[str]:
    Flaky.calls.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Flaky)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


async def test_a_service_that_comes_back_is_waited_for(flaky: str, tmp_path: Path) -> None:
    async with Api(flaky, Keyring(tmp_path)) as api:
        assert await Caller(api, {}).post("thing", {"a": 1}, key="k1") == {"done": True}
    assert Flaky.calls == [("/api/thing", "k1")] * 3


async def test_a_refusal_is_not_repeated(flaky: str, tmp_path: Path) -> None:
    async with Api(flaky, Keyring(tmp_path)) as api:
        with pytest.raises(RefusedError, match="422: no /a b") as refused:
            await Caller(api, {}).post("refused", {}, key="k1")
    assert (refused.value.status, refused.value.slug) == (422, "invalid")
    assert len(Flaky.calls) == 1


def test_memory_survives_and_belongs_to_one_bank(tmp_path: Path) -> None:
    file = tmp_path / "demo.json"
    first = Memory.at(file, {"bank": "synthetic", "seed": 1}, "2026-11-01T00:00:00+00:00")
    first.finish("step", {"rows": 3})
    first.note("events", 50)
    again = Memory.at(file, {"bank": "synthetic", "seed": 1}, "2026-11-02T00:00:00+00:00")
    assert (again.run, again.begun, again.steps, again.notes) == (
        first.run, "2026-11-01T00:00:00+00:00", {"step": {"rows": 3}}, {"events": 50},
    )  # fmt: skip
    assert again.key("a", 1) == first.key("a", 1)
    with pytest.raises(DemoError, match="already holds"):
        Memory.at(file, {"bank": "berka", "seed": 1}, "2026-11-02T00:00:00+00:00")


def test_plain_lines_where_nobody_watches() -> None:
    written = StringIO()
    narrator = Narrator(Console(file=written, force_terminal=False, width=100))
    with narrator.counting("events", 3) as advance:
        advance(3)
    assert written.getvalue().startswith("  events: 3 in 0.0 s")


def test_worlds_end_the_day_before_the_campaign(tmp_path: Path) -> None:
    world, plot = make_world("synthetic", 1_000, 1, None, date(2026, 10, 17))
    assert (world.data.business_date, plot) == (date(2026, 10, 16), SYNTHETIC)
    assert world.true_effect(pa.array(["C000000001"])) is not None
    with pytest.raises(DemoError, match="--data"):
        make_world("berka", 1_000, 1, None, date(2026, 10, 17))
    with pytest.raises(DemoError, match=r"account\.asc"):
        make_world("berka", 1_000, 1, tmp_path, date(2026, 10, 17))
    with pytest.raises(DemoError, match="no bank named"):
        make_world("other", 1_000, 1, None, date(2026, 10, 17))
