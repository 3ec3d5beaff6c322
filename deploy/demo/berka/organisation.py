"""Regions and districts of the Czech Republic as branches, and invented people to staff them."""

from dataclasses import dataclass

import pyarrow as pa

from deploy.demo.bank.organisation import Row, head_office
from deploy.demo.berka.tables import Tables

MANAGERS = 2


@dataclass(frozen=True)
class Organisation:
    """`branch[d]`, `managers[d]`: sub-branch and manager codes of district number d."""

    orgs: pa.Table
    staff: pa.Table
    branch: dict[int, str]
    managers: dict[int, list[str]]


def slug(name: str) -> str:
    """`north Moravia` → `north_moravia`; `Hl.m. Praha` → `hl_m_praha`."""
    kept = "".join(c if c.isascii() and c.isalnum() else " " for c in name.lower())
    return "_".join(kept.split())


def organise(tables: Tables) -> Organisation:
    """Head office, one branch and one office a region (A3), one sub-branch a district (A2)."""
    orgs: list[Row] = [_org("hq", None, "hq", "总行", "Head Office")]
    staff = head_office()
    branch: dict[int, str] = {}
    managers: dict[int, list[str]] = {}
    for region in sorted(set(tables.district["A3"].to_pylist())):
        path = f"hq.{slug(region)}"
        orgs.append(_org(path, "hq", "tier1", region, region))
        orgs.append(_org(f"{path}.office", path, "tier2", f"{region} office", f"{region} office"))
    for number, name, region in zip(
        *(tables.district[c].to_pylist() for c in ("A1", "A2", "A3")), strict=True
    ):
        office = f"hq.{slug(region)}.office"
        path = f"{office}.{slug(name)}"
        orgs.append(_org(path, office, "subbranch", name, name))
        codes = [f"D{number:02d}M{k + 1}" for k in range(MANAGERS)]
        staff.append(_person(f"D{number:02d}H", "branch_head", path))
        staff.extend(_person(code, "manager", path) for code in codes)
        branch[number], managers[number] = path, codes
    return Organisation(pa.Table.from_pylist(orgs), pa.Table.from_pylist(staff), branch, managers)


def _org(code: str, parent: str | None, level: str, zh: str, en: str) -> Row:
    return {"code": code, "parent": parent, "level": level, "name_zh": zh, "name_en": en}


def _person(code: str, role: str, org: str) -> Row:
    return {"code": code, "name": f"Staff {code}", "role": role, "org": org}
