"""Who may do what here: a permission in every route's signature; admin always may."""

from typing import Annotated

from fastapi import Header, Path

from shared.auth import Principal, Role
from shared.contracts.base import Code, OrgPath
from shared.errors import BadRequest
from shared.web import allow, allow_at_head_office

CustomerRead = Annotated[Principal, allow(*Role)]
CustomerWrite = Annotated[Principal, allow(Role.branch_head, Role.manager, Role.integrator)]
OwnershipChange = Annotated[Principal, allow(Role.branch_head, Role.integrator)]
HeadRead = Annotated[Principal, allow(Role.branch_head, Role.strategist, Role.auditor)]
"""Reports about managers, for those above them."""
PersonalRead = (Role.branch_head, Role.manager)
"""Who may see personal data unmasked or search by it."""

AddressRead = Annotated[Principal, allow(Role.messenger)]
MergeWrite = Annotated[Principal, allow(Role.branch_head)]
DuplicateFind = Annotated[Principal, allow(Role.branch_head, Role.integrator)]

RegistryRead = Annotated[Principal, allow(*Role)]
RegistryWrite = Annotated[Principal, allow(Role.integrator)]
"""Units and staff of one's own organisation."""
CatalogueWrite = Annotated[Principal, allow_at_head_office(Role.integrator)]
"""Products and types of events are the same in every branch."""
EventPush = Annotated[Principal, allow(Role.integrator)]
QuarantineRead = Annotated[Principal, allow(Role.integrator, Role.auditor, Role.branch_head, Role.manager)]
QuarantineWrite = Annotated[Principal, allow(Role.integrator)]
BulkWrite = Annotated[Principal, allow(Role.integrator)]
BulkRead = Annotated[Principal, allow(Role.strategist, Role.auditor, Role.integrator)]

QualityRuleChange = Annotated[Principal, allow_at_head_office(Role.strategist)]
QualityRun = Annotated[Principal, allow(Role.strategist, Role.branch_head)]
ValueModelChange = Annotated[Principal, allow_at_head_office(Role.strategist)]
ValueModelRead = Annotated[Principal, allow(Role.strategist, Role.approver, Role.branch_head, Role.auditor)]
"""Internal prices and hurdles are not for everyone who may see a customer's value."""

SubjectRights = Annotated[Principal, allow(Role.branch_head)]
"""Asks for a person's copy of everything, or for a person to be forgotten."""
ErasureConfirm = Annotated[Principal, allow(Role.branch_head, Role.approver)]
ErasureRead = Annotated[Principal, allow(Role.branch_head, Role.approver, Role.auditor)]
RetentionWrite = Annotated[Principal, allow_at_head_office()]

CodePath = Annotated[Code, Path(description="Natural code")]
OrgCodePath = Annotated[OrgPath, Path(description="Dotted path from head office down")]


def optional_version(
    if_match: Annotated[
        str | None, Header(description="ETag last read; needed when the resource exists")
    ] = None,
) -> int | None:
    """The version of If-Match, if sent: PUT of a natural key creates without it."""
    if if_match is None:
        return None
    try:
        return int(if_match.removeprefix("W/").strip('"').removeprefix("v"))
    except ValueError as error:
        raise BadRequest('If-Match must be an ETag of this resource, like "v3"') from error
