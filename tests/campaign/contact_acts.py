"""What may happen in a bank (`contact_world`): acts of managers, customers, other services and the clock."""

from collections.abc import Awaitable, Callable
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.usecases.launch import release_due_waves
from services.campaign.usecases.merges import merge, unmerge
from services.campaign.usecases.message_outcomes import end_leases
from services.campaign.usecases.outside_contacts import store_outside_contacts
from services.campaign.usecases.readmodel import store_members
from services.campaign.usecases.takeovers import complete_handover, follow_owners
from services.campaign.usecases.triggered import decide_triggered
from shared import clock
from shared.contracts.events import (
    CustomerRef,
    CustomersContacted,
    CustomersMerged,
    CustomerState,
    CustomersUnmerged,
    HandoverCompleted,
    OutgoingInteraction,
    OwnershipChanged,
    SegmentUpdated,
    SeparatedCustomer,
)
from shared.contracts.events.stewardship import Owners, OwnershipCause, OwnershipChange
from shared.ids import new_id
from tests.campaign.contact_oracle import ZONE
from tests.campaign.contact_world import RECEIVER, World, some_facts, some_rules
from tests.campaign.desk import JINGAN, PUDONG

OPEN = ("assigned", "accepted", "call_back")
FRIDAY = 4


async def _tell(world: World, use_case: Callable[[AsyncSession, Any], Awaitable[object]], event: Any) -> None:
    """As the consumer's transaction would."""
    async with world.runtime.db.transaction() as session:
        await use_case(session, event)


def _anybody(world: World) -> CustomerState:
    return world.rng.choice(list(world.oracle.files.values()))


async def launch(world: World) -> None:
    if len(world.plans) < 3:
        await world.launch(world.rng.choice(("tasks", "messages", "both", "both", "trigger")))


async def later_wave(world: World) -> None:
    world.move(timedelta(minutes=61))
    await release_due_waves(world.runtime.db, world.settings)
    await world.look_for_held()


async def somebody_moves(world: World) -> None:
    moving = [each for each in world.oracle.files if world.rng.random() < 0.6]
    key = f"{world.key}-moves"
    for joined, left in ((moving, []), ([], moving)):
        event = SegmentUpdated(
            segment_id=world.bank.segments[key],
            key=key,
            version=1,
            run_id=new_id(),
            cause="events",
            evaluated_at=clock.now(),
            size=len(joined),
            joined=joined,
            left=left,
        )
        await _tell(world, store_members, event)
        await decide_triggered(world.runtime.db, world.settings)
    await world.look_for_held()


async def call(world: World, of: UUID | None = None) -> None:
    """Up to two tasks begin, of one customer or of any; most are recorded at once."""
    tasks = [row for row in await world.lines("task", OPEN) if of in {None, row.customer_id}]
    for row in world.rng.sample(tasks, min(2, len(tasks))):
        if await world.begin(row) and world.rng.random() < 0.7:
            await world.record(row)


async def call_on(world: World) -> None:
    """Somebody goes on with what has begun, or says so of what has not."""
    for row in (await world.lines("task", ("started", *OPEN)))[:3]:
        if world.rng.random() < 0.5 and not (row.state == "started" and await world.begin(row)):
            continue
        await world.record(row)


async def hand_around(world: World) -> None:
    for row in (await world.lines("task", ("started", "returned", *OPEN)))[:2]:
        if world.rng.random() < 0.4:
            await world.call(row.manager, f"/v1/tasks/{row.id}:return", {"reason": "x"}, 409)
        body = {"manager": world.rng.choice(world.managers)}
        await world.call("HEAD", f"/v1/tasks/{row.id}:reassign", body, 409, 422)


async def stand_in(world: World) -> None:
    """Somebody is away, their tasks go to others, and come back when they are back sooner."""
    away, substitute = world.rng.sample(world.managers, 2)
    today = clock.today()
    body = {"starts_on": str(today), "ends_on": str(today + timedelta(days=9)), "substitute": substitute}
    absence = await world.call(away, "/v1/absences", body, 409, 422)
    if absence is None:
        return
    await world.call("HEAD", f"/v1/absences/{absence['id']}:reassign", {"dry_run": False})
    if world.rng.random() < 0.5:
        await call(world)
        path, version = f"/v1/absences/{absence['id']}:cancel", {"If-Match": f'"v{absence["version"]}"'}
        answer = await world.client(away).post(path, headers=version)
        assert answer.status_code == 200, answer.text


async def new_owners(world: World) -> None:
    """Also out of the campaigns' organisations and back, and by a handover that is undone."""
    one = _anybody(world)
    if one.merged_into or any(each.merged_into == one.customer_id for each in world.oracle.files.values()):
        return
    first, second, third = world.managers
    here, abroad = (PUDONG, second, third), ("hq.bj.haidian", "X", None)
    back = (PUDONG, first, third)
    way: list[tuple[tuple[str, str | None, str | None], OwnershipCause]] = world.rng.choice(
        [
            [(abroad, "assignment"), (back, "assignment")],
            [(here, "handover"), (back, "handover_undone")],
            [(here, "assignment")],
        ]
    )
    for to, cause in way:
        await _own(world, world.oracle.files[one.customer_id], to, cause)
        if world.rng.random() < 0.4:
            await call(world)
            await change_facts(world)


async def _own(
    world: World, one: CustomerState, to: tuple[str, str | None, str | None], cause: OwnershipCause
) -> None:
    names = ("org", "primary_manager", "backup_manager")
    before = Owners(**{name: getattr(one, name) for name in names})
    after = dict(zip(names, to, strict=True))
    change = OwnershipChange(
        customer_id=one.customer_id,
        before=before,
        after=Owners.model_validate(after),
        effective_on=clock.today(),
        cause=cause,
    )
    told = OwnershipChanged(changes=[change])
    late = world.rng.random() < 0.5
    if not late:
        await _tell(world, follow_owners, told)
    await world.store(one.model_copy(update=after))
    if late:
        await call(world, one.customer_id)
        await _tell(world, follow_owners, told)
    if cause.startswith("handover"):
        done = HandoverCompleted(
            handover_id=new_id(),
            staff=world.managers[0],
            customers=1,
            receivers={},
            undone=cause == "handover_undone",
            completed_at=clock.now(),
        )
        await _tell(world, complete_handover, done)


async def opt_out(world: World) -> None:
    one, channel = _anybody(world).customer_id, world.rng.choice(("call", "sms", None))
    until = clock.now() + timedelta(days=5) if world.rng.random() < 0.3 else None
    body = {"customer_id": str(one), "channel": channel, "until": until and until.isoformat()}
    await world.call("S1", "/v1/suppressions", body)
    world.oracle.suppressed.append((one, channel, until))


async def change_facts(world: World) -> None:
    for _ in range(3):
        one = _anybody(world)
        if not one.merged_into:
            await world.store(one.model_copy(update=some_facts(world.rng)))


async def change_policy(world: World) -> None:
    world.oracle.rules = some_rules(world.rng)
    await world.call("S1", "/v1/contact-policies", world.oracle.rules.body(world.key))


async def by_hand(world: World) -> None:
    calls = []
    for _ in range(world.rng.randint(1, 4)):
        at = clock.now() - timedelta(days=world.rng.choice((0, 1, 4, 20)))
        one = _anybody(world).customer_id
        calls.append(OutgoingInteraction(interaction_id=new_id(), customer_id=one, at=at, kind="call"))
        world.oracle.by_hand.append((one, at))
    await _tell(world, store_outside_contacts, CustomersContacted(interactions=calls))


async def visit(world: World) -> None:
    """Counted when it was made; not planned to sell to somebody who must be left alone."""
    one, at = _anybody(world).customer_id, clock.now() + timedelta(hours=1)
    service = world.rng.random() < 0.5
    body = {"customer_id": str(one), "at": at.isoformat(), "purpose": "x", "for_service": service}
    who = world.managers[0]
    planned = await world.call(who, "/v1/visits", body, 403, 409, 422)
    if planned is None:
        return
    assert service or not world.oracle.must_be_left_alone(one, at, "visit"), (one, world.story)
    world.move(timedelta(hours=2))
    headers = {"If-Match": f'"v{planned["version"]}"'}
    path, made = f"/v1/visits/{planned['id']}:record", {"minutes": 5, "result": "x"}
    answer = await world.client(who).post(path, json=made, headers=headers)
    assert answer.status_code == 200, answer.text
    world.tally["visited"] += 1
    world.oracle.by_hand.append((one, at))


async def become_one(world: World) -> None:
    """Two files are one person's; later perhaps they are not."""
    files = world.oracle.files
    heads = {each.merged_into for each in files.values()}
    free = [each for each in files.values() if not each.merged_into and each.customer_id not in heads]
    merged = [each for each in files.values() if each.merged_into]
    if merged and world.rng.random() < 0.5:
        loser = merged[0]
        survivor = files[loser.merged_into or loser.customer_id]
        told = CustomersUnmerged(
            merge_id=world.merges.pop(loser.customer_id),
            survivor=_ref(survivor),
            separated=[SeparatedCustomer(**_ref(loser).model_dump())],
            unmerged_at=clock.now(),
            unmerged_by="user:t",
        )
        await _tell(world, unmerge, told)
        await world.store(loser.model_copy(update={"merged_into": None, "status": "active"}))
    elif len(free) > 1 and not merged:
        survivor, loser = world.rng.sample(free, 2)
        made = {line.customer for line, _ in world.oracle.made.values()}
        if known := [each for each in free if each.customer_id in made and each is not survivor]:
            loser = world.rng.choice(known)
        if world.rng.random() < 0.5:
            survivor, loser = loser, survivor
        union = CustomersMerged(
            merge_id=world.merges.setdefault(loser.customer_id, new_id()),
            survivor=_ref(survivor),
            merged=[_ref(loser)],
            merged_at=clock.now(),
            merged_by="user:t",
        )
        world.oracle.joined[loser.customer_id] = clock.now()
        await _tell(world, merge, union)
        state = {"merged_into": survivor.customer_id, "status": "merged", "org": survivor.org}
        await world.store(loser.model_copy(update=state))


def _ref(state: CustomerState) -> CustomerRef:
    return CustomerRef(customer_id=state.customer_id, ordinal=state.ordinal)


async def pause_or_resume(world: World) -> None:
    if world.plans:
        plan = world.rng.choice(world.plans)
        verb = "resume" if plan.status == "paused" else "pause"
        # 409: the service's own clock has ended it.
        if await world.call("S1", f"/v1/campaigns/{plan.id}:{verb}", {"reason": "x"}, 409) is not None:
            plan.status = "running" if verb == "resume" else "paused"


async def send(world: World) -> None:
    """Two rounds. While the first is under way somebody may opt out or stop the campaign: what was claimed by
    the rules of that moment is withdrawn.
    """
    meanwhile = world.rng.choice((None, opt_out, pause_or_resume))
    if meanwhile is not None:
        world.meanwhile = lambda: meanwhile(world)
    await world.send()
    world.meanwhile = None
    await world.send()


async def lose_claims(world: World) -> None:
    """A sender that claimed is gone; another one finds what it left."""

    async def die() -> None:
        raise ConnectionError

    world.meanwhile = die
    try:
        await world.send()
    except ConnectionError:
        world.move(timedelta(minutes=5))
        async with world.runtime.db.transaction() as session:
            await end_leases(session)
    world.meanwhile = None
    await world.send()


async def refer(world: World) -> None:
    """Handing a customer on makes nobody's contact."""
    before = len(await world.rows("SELECT id FROM contact"))
    body = {
        "customer_id": str(_anybody(world).customer_id),
        "from_line": "corporate",
        "to": {"line": "personal", "org": JINGAN, "manager": RECEIVER},
        "offer": "steady-r2",
    }
    referral = await world.call(world.managers[0], "/v1/referrals", body, 409, 422)
    if referral is not None:
        headers = {"If-Match": f'"v{referral["version"]}"'}
        answer = await world.client(RECEIVER).post(f"/v1/referrals/{referral['id']}:accept", headers=headers)
        assert answer.status_code == 200, answer.text
    assert len(await world.rows("SELECT id FROM contact")) == before


async def time_passes(world: World) -> None:
    hours = world.rng.choice((1, 7, 12, 24, 24, 72, 200, 24 * 31))
    world.move(timedelta(hours=hours))


async def a_morning_at_work(world: World) -> None:
    """An hour at which managers may call, whatever the acts before have led to."""
    today = clock.today()
    ahead = timedelta(days=1 if today.weekday() < FRIDAY else 7 - today.weekday())
    world.move(datetime.combine(today + ahead, time(10, 30), ZONE) - clock.now())
    for _ in range(4):
        await call(world)


ACTS: tuple[Callable[[World], Awaitable[None]], ...] = (
    launch, launch, later_wave, somebody_moves, call, call, call, call_on, call_on, hand_around, stand_in, new_owners,
    opt_out, change_facts, change_policy, by_hand, visit, become_one, pause_or_resume, send, send, lose_claims, refer,
    time_passes, time_passes,
)  # fmt: skip
BY_NAME = {act.__name__: act for act in (*ACTS, a_morning_at_work)}
ACT = st.sampled_from([act.__name__ for act in ACTS])
