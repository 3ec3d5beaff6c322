"""The campaign's states and the verbs that move it."""

from collections.abc import Mapping
from typing import Literal, get_args

from shared.contracts.campaign import CampaignStatus, CampaignVerb
from shared.errors import Conflict

SystemStep = Literal["schedule", "start", "started", "expire", "void"]
"""Moves the launch makes by itself."""

TRANSITIONS: Mapping[CampaignStatus, Mapping[CampaignVerb | SystemStep, CampaignStatus]] = {
    "draft": {"edit": "draft", "submit": "in_review", "abort": "aborted"},
    "in_review": {"edit": "draft", "approve": "approved", "reject": "draft", "abort": "aborted"},
    "approved": {
        "edit": "draft",
        "submit": "in_review",
        "launch": "launching",
        "schedule": "scheduled",
        "expire": "expired",
        "abort": "aborted",
    },
    "scheduled": {"edit": "draft", "start": "launching", "expire": "expired", "abort": "aborted"},
    "launching": {"launch": "launching", "started": "running", "void": "draft", "abort": "aborted"},
    "running": {"pause": "paused", "drain": "draining", "complete": "completed", "abort": "aborted"},
    "paused": {"resume": "running", "drain": "draining", "complete": "completed", "abort": "aborted"},
    "draining": {"complete": "completed", "abort": "aborted"},
    "completed": {},
    "aborted": {},
    "expired": {},
}
LIVE: frozenset[CampaignStatus] = frozenset({"launching", "running"})
"""Contacts are released in these states and in no other."""
AT_WORK: frozenset[CampaignStatus] = frozenset({"running", "draining"})
"""What was released is worked on: tasks and messages begin, journeys go on."""

_VERBS = frozenset(get_args(CampaignVerb))


def verbs(status: CampaignStatus) -> list[CampaignVerb]:
    """What a caller may do now."""
    return [verb for verb in get_args(CampaignVerb) if verb in TRANSITIONS[status]]


def next_status(status: CampaignStatus, verb: CampaignVerb | SystemStep) -> CampaignStatus:
    """The state after `verb`; Conflict names the legal verbs when it is not one of them."""
    try:
        return TRANSITIONS[status][verb]
    except KeyError:
        legal = ", ".join(verbs(status)) or "none"
        raise Conflict(
            f"a campaign that is {status} cannot {verb}; legal now: {legal}", slug="illegal-transition"
        ) from None
