"""A message: what may be sent, and what a provider's answer or receipt makes of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from services.campaign.domain import materials
from services.campaign.domain.template_values import LANGUAGES, Language
from services.campaign.domain.wording import (
    SAMPLES,
    Values,
    offer_values,
    rendered_steps,
    script_wording,
    variables_of,
)
from shared.contracts.campaign import OfferView, ScriptView
from shared.contracts.campaign.channels import ChannelKind, ReceiptState, SubmissionOutcome
from shared.contracts.campaign.compliance import WordingChannel
from shared.contracts.campaign.vocabulary import MessageState
from shared.contracts.events import MessageOutcome
from shared.errors import Unprocessable

MAX_ATTEMPTS = 6
_FIRST_WAIT = timedelta(seconds=30)
WORDING_OF: Mapping[ChannelKind, WordingChannel] = {
    "sms": "sms",
    "email": "email",
    "push": "app",
    "im": "app",
}
"""Whose compliance words a channel's texts are read by."""

NOT_IN_MESSAGES = ("manager.name", "manager.code")
"""Nobody's message: it comes from the bank."""

OUTCOMES: Mapping[MessageState, MessageOutcome] = {
    "accepted": "sent",
    "delivered": "delivered",
    "read": "delivered",
    "failed": "undelivered",
    "unknown": "unknown",
}
_RANK: Mapping[MessageState, int] = {
    "submitting": 0,
    "unknown": 0,
    "accepted": 1,
    "failed": 2,
    "delivered": 3,
    "read": 4,
}
_TOLD: Mapping[ReceiptState, MessageState] = {
    "delivered": "delivered",
    "read": "read",
    "failed": "failed",
    "bounced": "failed",
}


def text_faults(script: ScriptView, kind: ChannelKind, offer: OfferView) -> Iterator[str]:
    """Why a script cannot be sent as a message of this kind, with what it says of the offer."""
    if any(step.answers for step in script.steps):
        yield "asks for answers, which a message cannot take"
    for name in NOT_IN_MESSAGES:
        if name in variables_of(script_wording(script)):
            yield f"names {name}, and a message is no manager's"
    for language in LANGUAGES:
        try:
            text = text_of(script, language, _with_offer(offer))
        except Unprocessable as problem:
            # A manager could say it in other words; a message would never leave.
            yield f"{problem.detail} ({offer.key} has none)"
            continue
        length = materials.sms_length(text)
        if kind == "sms" and length.segments > materials.MAX_SEGMENTS:
            yield f"takes {length.segments} messages in {language}, {materials.MAX_SEGMENTS} at most"


def _with_offer(offer: OfferView) -> Values:
    """Samples, but for the offer's own values."""
    return {
        language: {
            **{name: value for name, value in SAMPLES[language].items() if not name.startswith("offer.")},
            **offer_values(offer, language),
        }
        for language in LANGUAGES
    }


def text_of(script: ScriptView, language: Language, values: Values) -> str:
    """Its steps, one below the other. Unprocessable names a value that is not known."""
    return "\n\n".join(getattr(step.text, language) for step in rendered_steps(script, values))


@dataclass(frozen=True)
class Settled:
    """What follows from an answer. `wait`: it may be submitted once more after so long."""

    state: MessageState
    wait: timedelta | None = None


def settle(outcome: SubmissionOutcome, attempts: int, retry_after: float | None = None) -> Settled:
    """`attempts` counts the submission that was answered. What may have been taken is never sent again."""
    match outcome:
        case "accepted":
            return Settled("accepted")
        case "delivered":
            return Settled("delivered")
        case "refused":
            return Settled("failed")
        case "unknown":
            return Settled("unknown")
        case "failed":
            if attempts >= MAX_ATTEMPTS:
                return Settled("failed")
            wait = _FIRST_WAIT * 2 ** (attempts - 1)
            return Settled("planned", max(wait, timedelta(seconds=retry_after or 0)))


def after_receipt(state: MessageState, receipt: ReceiptState) -> MessageState | None:
    """The state a receipt leads to; None when it says nothing new. Receipts come late and in any order."""
    told = _TOLD[receipt]
    if state not in _RANK or _RANK[told] <= _RANK[state]:
        return None
    return told


Resolution = Literal["delivered", "not_sent"]
RESOLVED: Mapping[Resolution, MessageState] = {"delivered": "delivered", "not_sent": "failed"}
"""What a person found out about a message whose answer was lost. It is not sent again either way."""
