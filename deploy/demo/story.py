"""The whole loop on one bank, told step by step through the public APIs."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from deploy.demo.api import Api
from deploy.demo.bank import generate
from deploy.demo.berka import read_bank
from deploy.demo.berka.tables import BerkaError
from deploy.demo.campaign import approve_campaign, launch_campaign, plan_campaign
from deploy.demo.contacts import make_contacts
from deploy.demo.customer_file import calculate_value, look_over, relate_customers
from deploy.demo.errors import DemoError
from deploy.demo.limits import bind_the_bank, limit_sales
from deploy.demo.load import load_customers, load_holdings, load_organisation
from deploy.demo.memory import Memory, Result
from deploy.demo.narration import Narrator
from deploy.demo.plot import BERKA, SYNTHETIC, Plot
from deploy.demo.posting import load_events, wait_for_evaluation, wait_for_segmentation
from deploy.demo.review import evaluate_campaign, let_time_pass
from deploy.demo.scene import CAMPAIGN_DAYS_AGO, Scene
from deploy.demo.segment import find_clusters, publish_segments
from deploy.demo.service_quality import ask_about_service
from deploy.demo.standing import declare_target, place_key_accounts, set_tiers, test_belief
from deploy.demo.telling import tell
from deploy.demo.world import BerkaWorld, SyntheticWorld, World
from deploy.embedded.keyring import Keyring
from shared.clock import ZONE

Step = Callable[[Scene], Awaitable[Result]]

CHAPTERS: tuple[tuple[str, tuple[Step, ...]], ...] = (
    ("The bank moves in", (load_organisation, load_customers, load_holdings, load_events)),
    ("The customer file", (relate_customers, calculate_value, look_over)),
    ("Insight", (wait_for_segmentation, publish_segments, find_clusters)),
    ("Where customers stand", (set_tiers, place_key_accounts, declare_target, test_belief)),
    ("Strategy", (bind_the_bank, plan_campaign, limit_sales, approve_campaign, launch_campaign)),
    ("Execution", (make_contacts,)),
    ("Review", (let_time_pass, wait_for_evaluation, evaluate_campaign)),
    ("Service quality", (ask_about_service,)),
)


def run_demo(
    base_url: str,
    data_dir: Path,
    *,
    bank: str = "synthetic",
    customers: int = 20_000,
    seed: int = 7,
    data: Path | None = None,
    narrator: Narrator | None = None,
) -> Result:
    """Tell the story on the stack at `base_url`; what each step found, by its name.

    Run again after an interruption it goes on where it stopped. Raises DemoError when it cannot.
    """
    about = {"bank": bank, "customers": customers if bank == "synthetic" else None, "seed": seed}
    data_dir = data_dir.resolve()
    memory = Memory.at(data_dir / "demo.json", about, begun=datetime.now(UTC).isoformat())
    first_day = (datetime.fromisoformat(memory.begun) - CAMPAIGN_DAYS_AGO).astimezone(ZONE).date()
    world, plot = make_world(bank, customers, seed, data, first_day)
    try:
        return asyncio.run(_perform(base_url, data_dir, world, plot, memory, narrator or Narrator()))
    except BaseExceptionGroup as group:
        raise _first(group) from group


async def _perform(
    base_url: str, data_dir: Path, world: World, plot: Plot, memory: Memory, narrator: Narrator
) -> Result:
    async with Api(base_url, Keyring(data_dir / "secrets")) as api:
        scene = Scene(api, world, plot, memory, narrator, data_dir)
        if "let_time_pass" not in memory.steps:
            scene.set_back()
        for title, steps in CHAPTERS:
            narrator.chapter(title)
            for step in steps:
                await _take(scene, step)
    tell(narrator, memory)
    return memory.steps


async def _take(scene: Scene, step: Step) -> None:
    name = step.__name__
    if name in scene.memory.steps:
        scene.narrator.say(f"{name.replace('_', ' ')}: done before")
        return
    scene.memory.finish(name, await step(scene))


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What made a group of tasks stop: the others were only cancelled."""
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found


def make_world(
    bank: str, customers: int, seed: int, data: Path | None, first_day: date
) -> tuple[World, Plot]:
    """The bank as it stood at the end of the day before `first_day`, the campaign's first."""
    eve = first_day - timedelta(days=1)
    if bank == "synthetic":
        return SyntheticWorld(generate(customers, seed, eve)), SYNTHETIC
    if bank != "berka":
        raise DemoError(f"there is no bank named {bank}: synthetic or berka")
    if data is None:
        raise DemoError("the Berka bank needs --data: the folder that holds account.asc.gz and the others")
    try:
        return BerkaWorld(read_bank(data, eve + CAMPAIGN_DAYS_AGO, seed)), BERKA
    except BerkaError as error:
        raise DemoError(str(error)) from error
