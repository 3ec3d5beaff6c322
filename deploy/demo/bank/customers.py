"""The customer file as a core banking system would hand it over."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from deploy.demo.bank import names
from deploy.demo.bank.archetypes import ARCHETYPES
from deploy.demo.bank.columns import Ints, choose, dates, join, nulled, padded
from deploy.demo.bank.identifiers import credit_codes, person_numbers, phone_numbers
from deploy.demo.bank.organisation import Organisation
from deploy.demo.bank.traits import Traits

SOURCE = "core-banking"
RISK_LEVELS = ("C1", "C2", "C3", "C4", "C5")
RISK_VALID_DAYS = 365
_INDUSTRY_CODES = [code for code, _ in names.INDUSTRIES]
_TRADES = [zh for _, zh in names.INDUSTRIES]


def source_ids(rows: Ints) -> pa.Array:
    """The customer's number in core banking."""
    return join("C", padded(rows + 1, 9))


def customers_table(traits: Traits, organisation: Organisation, rng: np.random.Generator) -> pa.Table:
    rows = np.arange(len(traits))
    division = np.array(organisation.divisions)[traits.branch]
    industry = rng.integers(len(names.INDUSTRIES), size=len(traits))
    is_company = pa.array(traits.company)
    level, valid_until = _risk(traits)
    consents = rng.random((3, len(traits)))
    return pa.table(
        {
            "source": pa.array(np.full(len(rows), SOURCE)),
            "source_id": source_ids(rows),
            "kind": choose(("person", "company"), traits.company),
            "name": _if(
                is_company, _company_names(traits, organisation, industry, rng), _people(traits, rng)
            ),
            "id_number": _if(
                is_company,
                credit_codes(division, rows),
                person_numbers(division, _or_any_day(traits), rows, traits.female),
            ),
            "phone": phone_numbers(rows),
            "email": join("c", padded(rows + 1, 9), "@example.com"),
            "address": _addresses(traits, organisation, rng),
            "gender": nulled(choose(("M", "F"), traits.female), ~traits.company),
            "birth_date": dates(traits.born),
            "occupation": nulled(_occupations(traits, rng), ~traits.company),
            "industry": nulled(choose(_INDUSTRY_CODES, industry), traits.company),
            "org": choose(organisation.subbranches, traits.branch),
            "primary_manager": _manager(traits, organisation, traits.manager),
            "backup_manager": _manager(traits, organisation, traits.backup),
            "risk_level": level,
            "risk_valid_until": valid_until,
            "customer_since": dates(traits.since),
            "consent_call": pa.array(consents[0] < 0.92),
            "consent_sms": pa.array(consents[1] < 0.8),
            "consent_email": pa.array(consents[2] < 0.5),
        }
    )


def _if(condition: pa.Array, yes: pa.Array, no: pa.Array) -> pa.Array:
    return pc.if_else(condition, yes, no)


def _or_any_day(traits: Traits) -> npt.NDArray[np.datetime64]:
    return np.where(traits.company, np.datetime64("2000-01-01", "D"), traits.born)


def _people(traits: Traits, rng: np.random.Generator) -> pa.Array:
    count = len(traits)
    woman = pa.array(traits.female)

    def given() -> pa.Array:
        return _if(
            woman,
            choose(names.GIVEN_FEMALE, rng.integers(len(names.GIVEN_FEMALE), size=count)),
            choose(names.GIVEN_MALE, rng.integers(len(names.GIVEN_MALE), size=count)),
        )

    first, second = given(), given()
    # Surnames stand in the list by frequency: a squared draw favours the common ones.
    surname = choose(names.SURNAMES, (rng.random(count) ** 2 * len(names.SURNAMES)).astype(np.int64))
    return join(surname, first, _if(pa.array(rng.random(count) < 0.65), second, pa.scalar("")))


def _company_names(
    traits: Traits, organisation: Organisation, industry: Ints, rng: np.random.Generator
) -> pa.Array:
    count = len(traits)

    def word(words: tuple[str, ...]) -> pa.Array:
        return choose(words, rng.integers(len(words), size=count))

    return join(
        choose(organisation.cities, traits.branch),
        word(names.BRANDS_FIRST),
        word(names.BRANDS_SECOND),
        choose(_TRADES, industry),
        word(names.COMPANY_FORMS),
    )


def _addresses(traits: Traits, organisation: Organisation, rng: np.random.Generator) -> pa.Array:
    count = len(traits)
    return join(
        choose(organisation.cities, traits.branch),
        choose([zh for zh, _ in names.STREETS], rng.integers(len(names.STREETS), size=count)),
        pa.array(rng.integers(1, 999, count)).cast(pa.string()),
        "号",
        pa.array(rng.integers(1, 40, count)).cast(pa.string()),
        "室",
    )


def _occupations(traits: Traits, rng: np.random.Generator) -> pa.Array:
    """One of the archetype's usual occupations; one person in five has any other."""
    known = list(names.OCCUPATIONS)
    width = max(len(a.occupations) for a in ARCHETYPES)
    usual = np.array(
        [
            [known.index((a.occupations or ("sales",))[k % max(1, len(a.occupations))]) for k in range(width)]
            for a in ARCHETYPES
        ]
    )
    pick = usual[traits.archetype, rng.integers(width, size=len(traits))]
    return choose(
        known, np.where(rng.random(len(traits)) < 0.2, rng.integers(len(known), size=len(traits)), pick)
    )


def _manager(traits: Traits, organisation: Organisation, seat: Ints) -> pa.Array:
    first = np.cumsum([0, *(len(codes) for codes in organisation.managers)])[:-1]
    everyone = [code for codes in organisation.managers for code in codes]
    return choose(everyone, first[traits.branch] + seat)


def _risk(traits: Traits) -> tuple[pa.Array, pa.Array]:
    """An assessment is good for a year."""
    assessed = ~np.isnat(traits.assessed)
    valid_until = traits.assessed + np.timedelta64(RISK_VALID_DAYS, "D")
    return nulled(choose(RISK_LEVELS, traits.risk), assessed), dates(valid_until)
