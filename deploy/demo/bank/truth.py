"""The hidden truth: how customers answer a call and what a call changes. Never loaded into the product."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from deploy.demo.bank.columns import Floats, Ints

DISPOSITIONS = (
    "accepted",
    "interested",
    "refused",
    "call_back",
    "do_not_contact",
    "complaint",
    "no_answer",
    "wrong_number",
)
_NOT_REACHED = frozenset({"no_answer", "wrong_number"})
REACHED = tuple(d for d in DISPOSITIONS if d not in _NOT_REACHED)
_PERSUADABLE, _ANNOYED = 0.75, 0.04
_WRONG_NUMBER = 0.06
# Shares of those who were reached and do not respond: refused, call back, do not contact, complaint.
_UNMOVED = np.cumsum([0.82, 0.12, 0.05, 0.01])


@dataclass(frozen=True)
class Response:
    """One row per customer. `effect`: cents of net inflow in 30 days that a conversation causes."""

    probability: Floats
    reach: Floats
    effect: Ints


def respond(probability: Floats, effect: Floats, rng: np.random.Generator) -> Response:
    """Individual responses around the archetype's mean probability and mean effect (CNY).

    Most are persuadable, a few take offence and move money away, the rest do what they would have done.
    """
    customers = len(probability)
    nature = rng.random(customers)
    size = rng.gamma(4.0, 0.25, customers)
    moved = np.where(nature < _PERSUADABLE, size / _PERSUADABLE, 0.0)
    moved = np.where(nature > 1 - _ANNOYED, -0.5 * size, moved)
    keen = probability * 4
    return Response(
        probability=rng.beta(keen, 4 - keen),
        reach=rng.uniform(0.65, 0.9, customers),
        effect=np.rint(moved * effect).astype(np.int64) * 100,
    )


def dispositions(response: Response, rows: Ints, rng_of_all: np.random.Generator) -> npt.NDArray[np.str_]:
    """How a first call to each of `rows` ends. A customer's answer does not depend on who else is called."""
    reached, answer, other = rng_of_all.random((3, len(response.reach)))[:, rows]
    keen = np.where(other < 0.45, "accepted", "interested")
    unmoved = np.array(REACHED)[2:][np.searchsorted(_UNMOVED, other).clip(max=3)]
    missed = np.where(other < _WRONG_NUMBER, "wrong_number", "no_answer")
    talked = np.where(answer < response.probability[rows], keen, unmoved)
    return np.where(reached < response.reach[rows], talked, missed)
