"""The tree of branches and the people who work in it."""

from dataclasses import dataclass
from math import ceil

import numpy as np
import pyarrow as pa

from deploy.demo.bank.names import GIVEN_FEMALE, GIVEN_MALE, REGIONS, STREETS, SURNAMES
from shared.auth import DEMO_USERS

CUSTOMERS_PER_SUBBRANCH = 800
CUSTOMERS_PER_MANAGER = 200

Row = dict[str, str | None]


@dataclass(frozen=True)
class Organisation:
    """`managers[k]` are the codes of the managers of `subbranches[k]`; `divisions` are area codes."""

    orgs: pa.Table
    staff: pa.Table
    subbranches: list[str]
    divisions: list[int]
    cities: list[str]
    managers: list[list[str]]


def plan(customers: int) -> tuple[int, int, int]:
    """How many first-level, second-level and sub-branches serve that many customers."""
    lowest = min(1296, max(4, round(customers / CUSTOMERS_PER_SUBBRANCH)))
    middle = min(len(REGIONS) * 6, max(2, ceil(lowest / 5)))
    top = min(len(REGIONS), max(2, ceil(middle / 4)))
    return top, max(middle, top), lowest


def organise(customers: int, rng: np.random.Generator) -> Organisation:
    top, middle, lowest = plan(customers)
    orgs = [_org("hq", None, "hq", "环营银行总行", "Huanying Bank Head Office")]
    subbranches, divisions, cities = [], [], []
    for code, zh, en, _, _ in REGIONS[:top]:
        orgs.append(_org(f"hq.{code}", "hq", "tier1", f"{zh}分行", f"{en} Branch"))
    for second in range(middle):
        region, rank = REGIONS[second % top], second // top
        city_zh, city_en = region[4][rank].split()
        path = f"hq.{region[0]}.{city_en.lower()}"
        orgs.append(_org(path, f"hq.{region[0]}", "tier2", f"{city_zh}分行", f"{city_en} Branch"))
        for number in range(lowest // middle + (second < lowest % middle)):
            orgs.append(_subbranch(path, city_zh, city_en, number))
            subbranches.append(str(orgs[-1]["code"]))
            divisions.append(region[3] + (rank + 1) * 100 + 1 + number % 20)
            cities.append(region[1] + city_zh)
    per_branch = max(2, ceil(customers / len(subbranches) / CUSTOMERS_PER_MANAGER))
    staff, managers = _staff(subbranches, per_branch, rng)
    return Organisation(
        pa.Table.from_pylist(orgs), pa.Table.from_pylist(staff), subbranches, divisions, cities, managers
    )


def _org(code: str, parent: str | None, level: str, zh: str, en: str) -> Row:
    return {"code": code, "parent": parent, "level": level, "name_zh": zh, "name_en": en}


def _subbranch(parent: str, city_zh: str, city_en: str, number: int) -> Row:
    zh, en = STREETS[number % len(STREETS)]
    again = number // len(STREETS)
    zh, en = (zh, en) if not again else (f"{zh}{again + 1}号", f"{en} {again + 1}")
    return _org(
        f"{parent}.b{number + 1:02d}", parent, "subbranch", f"{city_zh}{zh}支行", f"{city_en} {en} Subbranch"
    )


def head_office() -> list[Row]:
    """Those who can sign in at head office: the demo users of the local issuer."""
    return [
        {"code": user.staff, "name": user.name, "role": user.roles[0].value, "org": user.org}
        for user in DEMO_USERS
    ]


def _staff(
    subbranches: list[str], per_branch: int, rng: np.random.Generator
) -> tuple[list[Row], list[list[str]]]:
    rows = head_office()
    managers = []
    serial = 100
    for org in subbranches:
        serial += 1
        rows.append({"code": f"S{serial:05d}", "name": _name(rng), "role": "branch_head", "org": org})
        codes = [f"S{serial + k + 1:05d}" for k in range(per_branch)]
        rows.extend({"code": code, "name": _name(rng), "role": "manager", "org": org} for code in codes)
        managers.append(codes)
        serial += per_branch
    return rows, managers


def _name(rng: np.random.Generator) -> str:
    given = GIVEN_FEMALE if rng.random() < 0.5 else GIVEN_MALE
    return SURNAMES[rng.integers(len(SURNAMES))] + "".join(rng.choice(given, rng.integers(1, 3)))
