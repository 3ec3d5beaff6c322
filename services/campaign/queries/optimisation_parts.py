"""Why and why not by customer, in parts of 65,536 ordinals: numpy arrays, compressed (npz).

`words`, `campaigns`, and for each of `ordinal` the code into words (from 1; 0: not in the audience) and the
expected value (-1: the policy refuses) by campaign.
"""

import io
from uuid import UUID

import numpy as np

from services.campaign.domain.contact_reasons import WORDS
from services.campaign.domain.optimisation import Outcome, Pool
from shared.contracts.campaign.optimisations import OptionView

PART_BITS = 16


def parts_of(outcome: Outcome, pool: Pool) -> list[tuple[int, bytes]]:
    """(ordinal >> 16, payload)"""
    campaigns = [str(each.terms.campaign_id) for each in pool.competitors]
    numbers = outcome.ordinal >> PART_BITS
    found = []
    for number in np.unique(numbers).tolist():
        rows = slice(*np.searchsorted(numbers, [number, number + 1]).tolist())
        sink = io.BytesIO()
        np.savez_compressed(
            sink,
            words=np.array(WORDS),
            campaigns=np.array(campaigns),
            ordinal=outcome.ordinal[rows],
            why=outcome.why[rows],
            value=outcome.value[rows],
        )
        found.append((number, sink.getvalue()))
    return found


def options_in(payload: bytes, ordinal: int) -> list[OptionView]:
    """Of one customer; none if it was in no audience."""
    with np.load(io.BytesIO(payload), allow_pickle=False) as part:
        at = int(np.searchsorted(part["ordinal"], ordinal))
        if at == part["ordinal"].size or part["ordinal"][at] != ordinal:
            return []
        words, campaigns = part["words"].tolist(), part["campaigns"].tolist()
        codes, values = part["why"][at].tolist(), part["value"][at].tolist()
    return [
        OptionView(
            campaign_id=UUID(campaign), why=words[code - 1], value=None if value < 0 else round(value, 4)
        )
        for campaign, code, value in zip(campaigns, codes, values, strict=True)
        if code
    ]
