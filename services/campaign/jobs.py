"""Work in the background: launches, and the clock that starts campaigns and releases waves."""

import asyncio
from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

from services.campaign.settings import CampaignSettings
from services.campaign.usecases.absences import follow_absences
from services.campaign.usecases.assignment import count_days_anew
from services.campaign.usecases.draining import follow_draining
from services.campaign.usecases.escalation import escalate_overdue
from services.campaign.usecases.forgetting import hold_off_erasures
from services.campaign.usecases.journeys import advance_journeys
from services.campaign.usecases.launch import LAUNCH_TASK, launch, release_due_waves, start_and_expire
from services.campaign.usecases.optimisations import OPTIMISE_TASK, run_optimisation
from services.campaign.usecases.outside_contacts import forget_old_contacts
from services.campaign.usecases.quotas import follow_quotas
from services.campaign.usecases.referral_ends import lapse_referrals
from services.campaign.usecases.release import await_other_decisions
from services.campaign.usecases.reservations import release_lapsed
from services.campaign.usecases.sandbox import tell_sandbox_receipts
from services.campaign.usecases.sending import send_always
from services.campaign.usecases.triggered import decide_triggered
from services.campaign.usecases.triggers import MOVED
from services.campaign.usecases.waking import WOKEN
from shared import clock
from shared.jobs import JobRun
from shared.notices import listening, wait_for_notice
from shared.service import Runtime, Task

_SANDBOX_SECONDS = 1.0
_COUNT_TIMEOUT_MS = 120_000


async def launch_campaign(job: JobRun) -> dict[str, Any]:
    campaign_id = UUID(job.args["campaign_id"])
    return await launch(job.runtime.db, _settings(job.runtime), campaign_id, job.progress)


async def optimise_contacts(job: JobRun) -> dict[str, Any]:
    return await run_optimisation(job, _settings(job.runtime))


async def follow_the_clock(runtime: Runtime) -> None:
    """Endless: what is due is done within `release_every_seconds`."""
    settings = _settings(runtime)
    begun: date | None = None
    while True:
        async with runtime.db.transaction() as session:
            await start_and_expire(session)
            await follow_absences(session)
        async with runtime.db.transaction(statement_timeout_ms=_COUNT_TIMEOUT_MS) as session:
            await hold_off_erasures(session)
            await follow_draining(session)
        await release_due_waves(runtime.db, settings)
        async with runtime.db.transaction() as session:
            await release_lapsed(session)
            await forget_old_contacts(session)
            await follow_quotas(session)
        async with runtime.db.transaction() as session:
            await lapse_referrals(session)
        if begun != clock.today():
            begun = await _begin_day(runtime)
        await asyncio.sleep(settings.release_every_seconds)


async def _begin_day(runtime: Runtime) -> date:
    """What changes with the day: what is overdue, and how much is planned. The day for which it was done."""
    today, left = clock.today(), 1
    async with runtime.db.transaction(statement_timeout_ms=_COUNT_TIMEOUT_MS) as session:
        await await_other_decisions(session)
        await count_days_anew(session)
    while left:
        async with runtime.db.transaction() as session:
            left = await escalate_overdue(session)
    return today


async def follow_triggers(runtime: Runtime) -> None:
    """Endless: decides on who moved, soon after it was told."""
    settings = _settings(runtime)
    async with listening(runtime.db.conninfo, MOVED) as listener:
        while True:
            await decide_triggered(runtime.db, settings)
            await wait_for_notice(listener, settings.release_every_seconds)
            await asyncio.sleep(settings.trigger_gather_seconds)


async def follow_journeys(runtime: Runtime) -> None:
    """Endless: carries on who was woken, or whose wait is over."""
    settings = _settings(runtime)
    async with listening(runtime.db.conninfo, WOKEN) as listener:
        while True:
            await advance_journeys(runtime.db, settings)
            await wait_for_notice(listener, settings.release_every_seconds)
            await asyncio.sleep(settings.trigger_gather_seconds)


async def send_messages(runtime: Runtime) -> None:
    """Endless: each channel by itself."""
    await send_always(runtime, _settings(runtime))


async def tell_receipts(runtime: Runtime) -> None:
    """Endless: what the sandbox has to tell is told within a second or so."""
    while True:
        async with runtime.db.transaction() as session:
            told = await tell_sandbox_receipts(session)
        if not told:
            await asyncio.sleep(_SANDBOX_SECONDS)


def _settings(runtime: Runtime) -> CampaignSettings:
    if not isinstance(runtime.settings, CampaignSettings):
        raise TypeError(f"the campaign service runs with {type(runtime.settings)}")
    return runtime.settings


TASKS: Mapping[str, Task] = {LAUNCH_TASK: launch_campaign, OPTIMISE_TASK: optimise_contacts}
