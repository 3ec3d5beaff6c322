"""Whether incremental members are those of a full evaluation."""

from typing import Annotated

from services.segmentation.api.access import NamedSegment
from services.segmentation.usecases.audits import audit_members
from shared.auth import Principal, Role
from shared.contracts.segmentation.audits import AuditView
from shared.web import CurrentRuntime, Router, allow, problem_responses

router = Router(tags=["segments"])

Examiner = Annotated[Principal, allow(Role.strategist, Role.auditor)]


@router.post("/segments:audit", responses=problem_responses(503))
async def audit_segments(principal: Examiner, runtime: CurrentRuntime) -> AuditView:
    """Compare the members of all realtime segments, as the next pass would leave them, with an evaluation of
    everybody at the same moment. Zero differences are expected; nothing is repaired.
    """
    return await audit_members(runtime, principal.org)


@router.post("/segments/{segment}:audit", responses=problem_responses(404, 409, 503))
async def audit_segment(principal: Examiner, segment: NamedSegment, runtime: CurrentRuntime) -> AuditView:
    """The same for one segment. `:refresh` evaluates it for everybody and publishes what was wrong."""
    return await audit_members(runtime, principal.org, segment.key)
