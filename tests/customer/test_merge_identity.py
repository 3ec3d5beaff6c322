"""Merging and undoing is as if nothing had been merged; and in a family, too, order does not matter."""

import json
import os
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.customer.conftest import Bank, event, number
from tests.customer.merge_world import merged, overview, undo, view
from tests.customer.test_orderings import FACTS

FAMILY = 4
EXAMPLES = int(os.environ.get("HUANYING_MERGE_EXAMPLES", "7"))
UNSHRUNK = (Phase.explicit, Phase.reuse, Phase.generate)
"""An example is hundreds of requests: a failure is told as found, in seconds."""
WHO = st.integers(0, FAMILY - 1)

ATTRIBUTES = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["王五", "王小五", "欧阳五"]),
        "phone": st.sampled_from(["13900000001", "13900000002"]),
        "email": st.sampled_from(["a@x.cn", "b@x.cn", None]),
        "address": st.sampled_from(["上海", "上海市浦东新区世纪大道", None]),
        "gender": st.sampled_from(["F", "M", None]),
        "birth_date": st.sampled_from(["1980-01-01", "1990-02-03", None]),
        "occupation": st.sampled_from(["教师", "医生", None]),
        "industry": st.sampled_from(["教育", None]),
        "customer_since": st.sampled_from(["2010-01-01", "2020-01-01", None]),
        "risk_level": st.sampled_from(["C1", "C5", None]),
        "risk_valid_until": st.sampled_from(["2027-06-30", None]),
        "consents": st.dictionaries(st.sampled_from(["call", "app"]), st.booleans(), min_size=1),
    },
)


def _whole(change: dict[str, Any]) -> dict[str, Any]:
    """A level alone keeps the end the file shows, and a merged file shows its family's: we tell both."""
    return {"risk_valid_until": None, **change} if "risk_level" in change else change


PATCHES = st.tuples(WHO, ATTRIBUTES.filter(bool).map(_whole))
STEPS = st.lists(st.one_of(st.tuples(WHO, FACTS), PATCHES), max_size=6)
MERGES = st.lists(st.tuples(WHO, st.sets(WHO, min_size=1, max_size=2)), min_size=1, max_size=3)


class Family:
    """Four customers; what happens to one family can happen to another in the same words."""

    def __init__(self, bank: Bank) -> None:
        self.bank = bank
        self.subjects = [f"f{number()}" for _ in range(FAMILY)]
        self.ids: list[str] = []
        self.events = 0

    async def create(self, people: list[dict[str, Any]]) -> None:
        for subject, attributes in zip(self.subjects, people, strict=True):
            given_ = {k: v for k, v in attributes.items() if v is not None}
            body = {
                "consents": {},
                "id_number": None,
                "phone": None,
                "gender": None,
                "birth_date": None,
                **given_,
            }
            identities = [{"source": "core", "source_id": subject}]
            self.ids.append((await self.bank.customer(**body, identities=identities))["id"])

    def fact(self, who: int, fact: tuple[str, str, dict[str, Any]]) -> dict[str, Any]:
        kind, day, data = fact
        self.events += 1
        time = f"{day}T12:00:{self.events:02d}+08:00"
        return event(self.subjects[who], kind, id=f"{self.subjects[0]}-{self.events}", time=time, data=data)

    async def live(self, steps: list[tuple[int, Any]], heads: list[int] | None = None) -> None:
        """Facts happen to whom they happen; a change of the file is made where the person's file is now."""
        for who, what in steps:
            if isinstance(what, dict):
                await self._patch((heads or list(range(FAMILY)))[who], what)
            else:
                answer = await self.bank.push(self.fact(who, what))
                assert answer.status_code == 200, answer.text

    async def _patch(self, who: int, change: dict[str, Any]) -> None:
        version = (await view(self.bank, self.ids[who]))["version"]
        path = f"/v1/customers/{self.ids[who]}"
        answer = await self.bank.head_sh.patch(path, json=change, headers={"If-Match": f'"v{version}"'})
        assert answer.status_code == 200, answer.text

    async def state(self) -> dict[str, Any]:
        """All that can be seen of the family, with numbers in the place of its ids."""
        seen: dict[str, Any] = {"exports": await self._exports()}
        for who, customer_id in enumerate(self.ids):
            shown = await overview(self.bank, customer_id)
            profile = {**await view(self.bank, customer_id, reveal="pii"), "who": who}
            pages = await self.bank.head_sh.get(
                f"/v1/customers/{customer_id}/timeline", params={"limit": 100}
            )
            consents = await self.bank.sql(
                "SELECT channel, purpose, granted FROM consent WHERE customer_id = CAST(:id AS uuid) ORDER BY 1, 2",
                id=customer_id,
            )
            seen[str(who)] = {
                "profile": profile,
                "360": {k: shown[k] for k in ("totals", "holdings", "timeline", "contacts", "next_dates")},
                "timeline": pages.json()["items"],
                "consents": [list(row) for row in consents],
            }
        for who, customer_id in enumerate(self.ids):
            for one in ("version", "updated_at", "created_at", "ordinal", "masked"):
                seen[str(who)]["profile"].pop(one)
            seen = json.loads(json.dumps(seen).replace(customer_id, f"<{who}>"))
        for who, subject in enumerate(self.subjects):
            seen = json.loads(json.dumps(seen).replace(subject, f"[{who}]"))
        return seen

    async def _exports(self) -> dict[str, list[Any]]:
        found = {}
        for dataset in ("customers", "holdings", "events"):
            content = (await self.bank.strategist.get(f"/v1/exports/{dataset}")).content
            table = pa.ipc.open_stream(content).read_all()
            rows = [r for r in table.to_pylist() if r["customer_id"] in self.ids]
            for row in rows:
                for one in ("ordinal", "home_ordinal", "version", "seq", "consents"):
                    row.pop(one, None)
            found[dataset] = sorted(
                (json.dumps(r, default=str, sort_keys=True) for r in rows), key=_anonymous
            )
        return found


def _anonymous(row: str) -> str:
    """Rows of different families sort alike: by what happened, ids aside."""
    fields = json.loads(row)
    return json.dumps({k: v for k, v in fields.items() if k != "customer_id"}, sort_keys=True)


async def _join(family: Family, merges: list[tuple[int, set[int]]]) -> tuple[list[str], list[int]]:
    """Merge what is still apart; the merges made and where each one's file is then."""
    heads, made = list(range(FAMILY)), []
    for into, others in merges:
        head = heads[into]
        taken = sorted({heads[other] for other in others} - {head})
        if taken:
            made.append(
                await merged(family.bank, family.ids[head], *(family.ids[o] for o in taken), overrides={})
            )
            heads = [head if one in taken else one for one in heads]
    return made, heads


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=UNSHRUNK,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(ATTRIBUTES, min_size=FAMILY, max_size=FAMILY), STEPS, MERGES, STEPS, STEPS)
async def test_merging_and_undoing_is_as_if_nothing_was_merged(
    bank: Bank,
    people: list[dict[str, Any]],
    before: list[tuple[int, Any]],
    merges: list[tuple[int, set[int]]],
    during: list[tuple[int, Any]],
    after: list[tuple[int, Any]],
) -> None:
    one, twin = Family(bank), Family(bank)
    await one.create(people)
    await twin.create(people)
    await one.live(before)
    await twin.live(before)
    made, heads = await _join(one, merges)
    await one.live(during, heads)
    await twin.live(during, heads)
    for merge_id in reversed(made):
        answer = await undo(bank, merge_id)
        assert answer.status_code == 200, answer.text
    await one.live(after)
    await twin.live(after)
    assert await one.state() == await twin.state()
    left = await bank.sql(
        "SELECT count(*) FROM own_risk WHERE customer_id = ANY(CAST(:ids AS uuid[]))", ids=one.ids
    )
    assert left == [(0,)]


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=UNSHRUNK,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(st.tuples(WHO, FACTS), min_size=1, max_size=10),
    MERGES,
    st.randoms(use_true_random=False),
    st.data(),
)
async def test_order_and_repetition_do_not_matter_in_a_family(
    bank: Bank,
    facts: list[tuple[int, Any]],
    merges: list[tuple[int, set[int]]],
    random: Any,
    data: st.DataObject,
) -> None:
    """Whether facts come before, between or after the merges, once or twice: the family is the same."""
    states = []
    for shuffled in (False, True):
        family = Family(bank)
        await family.create([{}] * FAMILY)
        events = [family.fact(who, fact) for who, fact in facts]
        early = events
        if shuffled:
            events += data.draw(st.lists(st.sampled_from(events), max_size=4))
            random.shuffle(events)
            early = events[: data.draw(st.integers(0, len(events)))]
        for one in early:
            await bank.push(one)
        await _join(family, merges)
        for one in events[len(early) :]:
            await bank.push(one)
        state = await family.state()
        for who in range(FAMILY):
            state[str(who)]["profile"].pop("merged_into")
        states.append(state)
    assert states[0] == states[1]
