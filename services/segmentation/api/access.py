"""Who may do what with segments, features and models."""

from typing import Annotated

from fastapi import Depends, Path

from services.segmentation.models import Segment
from services.segmentation.queries.segments import find_segment
from services.segmentation.store.store import Store
from services.segmentation.usecases.feed import CustomerFeed
from shared.auth import Principal, Role
from shared.web import Session, allow, allow_at_head_office, resource

_EVERYBODY = (
    Role.strategist,
    Role.approver,
    Role.branch_head,
    Role.manager,
    Role.auditor,
    Role.integrator,
)

Reader = Annotated[Principal, allow(*_EVERYBODY)]
"""Definitions and counts are bank wide; customers only within the reader's organisation."""
Strategist = Annotated[Principal, allow(Role.strategist)]
Approver = Annotated[Principal, allow(Role.approver)]
BankStrategist = Annotated[Principal, allow_at_head_office(Role.strategist)]
"""Features, segments, models, schemes and matrices are the same in every branch, whoever reads them."""
BankApprover = Annotated[Principal, allow_at_head_office(Role.approver)]
TierMaker = Annotated[Principal, allow(Role.strategist, Role.branch_head)]
"""Who may ask for another tier of a customer, and take it back."""
Scorer = Annotated[Principal, allow(Role.strategist, Role.branch_head, Role.manager)]
"""Who knows customers well enough to score them, within their own organisation."""
Analyst = Annotated[Principal, allow(Role.strategist, Role.branch_head)]
"""Who says whom a unit serves, and tests what is thought about customers, within the own organisation."""
Contributor = Annotated[Principal, allow(Role.strategist, Role.approver, Role.branch_head, Role.manager)]
"""Who knows customers and may say what they think."""
BulkReader = Annotated[Principal, allow_at_head_office(Role.integrator)]
"""Services that make their stores anew."""

FeatureStore = Annotated[Store, resource(Store)]
Feed = Annotated[CustomerFeed, resource(CustomerFeed)]

SegmentReference = Annotated[
    str, Path(description="Id or key of the segment", examples=["affluent-50plus-active"], max_length=80)
]


async def _segment(session: Session, segment: SegmentReference) -> Segment:
    return await find_segment(session, segment)


async def _locked_segment(session: Session, segment: SegmentReference) -> Segment:
    return await find_segment(session, segment, for_update=True)


NamedSegment = Annotated[Segment, Depends(_segment)]
LockedSegment = Annotated[Segment, Depends(_locked_segment)]
