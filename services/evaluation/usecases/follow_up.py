"""What accepting a recommendation does where it belongs: in the other services, by who accepts.

The caller's own credentials are passed on, so that drafts are his and what he may not do is refused. Whatever
an earlier attempt got done is found again.
"""

from services.evaluation.domain.aimed_segment import aimed_segment, policy_by_tier, segment_key
from services.evaluation.domain.next_round import next_round
from services.evaluation.usecases.in_person import Credentials, InPerson
from shared import clock
from shared.contracts.base import Page
from shared.contracts.campaign import CampaignSummary, CampaignView, PauseRequest
from shared.contracts.evaluation import Recommendation
from shared.contracts.evaluation.recommendations import CreatedDraft, CreatedSegment, Stop
from shared.contracts.segmentation import SegmentState, SegmentView
from shared.contracts.segmentation.tiers import TierSchemeView
from shared.errors import Conflict
from shared.service import Runtime

_OVER = frozenset({"draining", "completed", "aborted", "expired"})
"""Nobody new is contacted by a campaign in these states."""
_LONGEST_REASON = 4_000


async def draft_campaign(runtime: Runtime, credentials: Credentials, advice: Recommendation) -> CreatedDraft:
    """The draft campaign of `advice`; the one there is already, if an earlier attempt got so far."""
    campaigns = InPerson(runtime, "campaign", credentials)
    path = f"/v1/campaigns?recommendation_id={advice.id}&limit=1"
    found = await campaigns.get(path, Page[CampaignSummary])
    made: CampaignSummary | CampaignView | None = next(iter(found.items), None)
    if made is None:
        original = await _campaign(campaigns, advice)
        aim = advice.created_segment.segment_key if advice.created_segment else None
        wanted = next_round(original, advice, clock.today(), aim)
        made = await campaigns.post("/v1/campaigns", wanted, CampaignView, f"recommendation-{advice.id}")
    return CreatedDraft(campaign_id=made.id, campaign_key=made.key)


async def draft_segment(runtime: Runtime, credentials: Credentials, advice: Recommendation) -> CreatedSegment:
    """The segment that `advice` aims at, never published here; the one there is already, if there is.

    Conflict where somebody has archived it.
    """
    segments = InPerson(runtime, "segmentation", credentials)
    made = await segments.find(f"/v1/segments/{segment_key(advice.campaign_key, advice)}", SegmentView)
    if made is None:
        original = await _campaign(InPerson(runtime, "campaign", credentials), advice)
        scheme = await segments.get(f"/v1/tier-schemes/{policy_by_tier(advice).scheme}", TierSchemeView)
        wanted = aimed_segment(original, advice, scheme)
        made = await segments.post("/v1/segments", wanted, SegmentView, f"recommendation-{advice.id}")
    if made.state is SegmentState.archived:
        raise Conflict(f"The segment {made.key} of this recommendation was archived: restore it first.")
    return CreatedSegment(segment_id=made.id, segment_key=made.key)


async def stop_campaign(
    runtime: Runtime, credentials: Credentials, advice: Recommendation, note: str
) -> Stop:
    """A campaign that runs is paused: nothing is begun or sent until somebody resumes it, or its last day
    has passed. One that is over already stays what it is.
    """
    campaigns = InPerson(runtime, "campaign", credentials)
    campaign = await _campaign(campaigns, advice)
    if campaign.status in _OVER:
        return Stop.NOT_REPEATED
    if campaign.status != "paused":
        said = "：".join(filter(None, (f"{advice.title.zh} / {advice.title.en}", note.strip())))
        # Without a key: what an earlier attempt paused, somebody may have resumed since.
        reason = PauseRequest(reason=said[:_LONGEST_REASON])
        await campaigns.post(f"/v1/campaigns/{campaign.id}:pause", reason, CampaignView)
    return Stop.PAUSED


async def _campaign(campaigns: InPerson, advice: Recommendation) -> CampaignView:
    return await campaigns.get(f"/v1/campaigns/{advice.campaign_id}", CampaignView)
