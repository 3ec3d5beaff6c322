"""Writing, activating and closing strategies. Whoever decides on a strategy's money holds its row."""

from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.strategies import contradictions, missing, next_state, parts
from services.campaign.models import Strategy, StrategyVersion
from services.campaign.queries.strategies import (
    commitment,
    open_campaigns,
    select_strategies,
    strategy_content,
    unknown,
)
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.base import OrgPath
from shared.contracts.campaign.strategies import StrategyContent, StrategyPatch, StrategyWrite
from shared.errors import Conflict, FieldError, Forbidden, NotFound, Unprocessable
from shared.ids import new_id
from shared.web import check_version

_KEPT = ("name", "org")


async def create_strategy(session: AsyncSession, principal: Principal, request: StrategyWrite) -> Strategy:
    content = StrategyContent.model_validate(request.model_dump(exclude={"key"}))
    _require_own(principal, content.org)
    await _require_sound(session, content)
    strategy = Strategy(
        id=new_id(),
        key=request.key,
        state="draft",
        version=1,
        revision=0,
        created_at=clock.now(),
        created_by=principal.id,
    )
    _write(strategy, content)
    session.add(strategy)
    await _save(session, principal, strategy, "create_strategy")
    return strategy


async def edit_strategy(
    session: AsyncSession, principal: Principal, key: str, revision: int, patch: StrategyPatch
) -> Strategy:
    """Replaces the parts that `patch` names. Of an active strategy it makes the next version."""
    strategy = await _lock(session, principal, key)
    check_version(strategy.revision, revision)
    next_state(strategy.state, "edit")
    changes = patch.model_dump(exclude_unset=True)
    emptied = [name for name in _KEPT if name in changes and changes[name] is None]
    if emptied:
        errors = [FieldError(f"/{name}", "is required") for name in emptied]
        raise Unprocessable("a strategy keeps a name and an organisation", errors=errors)
    parts_now = {**strategy.content, **changes}
    content = StrategyContent.model_validate({k: v for k, v in parts_now.items() if v is not None})
    if content == strategy_content(strategy):
        return strategy
    _require_own(principal, content.org)
    await _require_sound(session, content)
    _write(strategy, content)
    if strategy.state == "active":
        _require_complete(content)
        await _require_room(session, strategy.key, content)
        strategy.version += 1
        session.add(_version(strategy, principal))
    detail = {"parts": sorted(changes), "version": strategy.version}
    await _save(session, principal, strategy, "edit_strategy", detail)
    return strategy


async def activate_strategy(session: AsyncSession, principal: Principal, key: str) -> Strategy:
    """From now on campaigns may carry it out; its first version is written down."""
    strategy = await _lock(session, principal, key)
    state = next_state(strategy.state, "activate")
    content = strategy_content(strategy)
    _require_complete(content)
    await _require_sound(session, content)
    if content.objective is not None and content.objective.end < clock.today():
        errors = [FieldError("/objective/end", "has passed")]
        raise Unprocessable("the strategy's period is over", errors=errors)
    strategy.state = state
    strategy.activated_at, strategy.activated_by = clock.now(), principal.id
    session.add(_version(strategy, principal))
    await _save(session, principal, strategy, "activate_strategy")
    return strategy


async def close_strategy(session: AsyncSession, principal: Principal, key: str, reason: str) -> Strategy:
    """For good. Campaigns that are under way come to their end first."""
    strategy = await _lock(session, principal, key)
    state = next_state(strategy.state, "close")
    under_way = await open_campaigns(session, key)
    if under_way:
        raise Conflict(f"campaigns are under way: {', '.join(under_way)}", slug="campaigns-under-way")
    strategy.state = state
    strategy.closed_at, strategy.closed_by, strategy.closed_because = clock.now(), principal.id, reason
    await _save(session, principal, strategy, "close_strategy")
    return strategy


async def _lock(session: AsyncSession, principal: Principal, key: str) -> Strategy:
    """The strategy, held until the transaction ends; the principal must cover its organisation."""
    query = select_strategies(principal).where(Strategy.key == key).with_for_update()
    strategy = await session.scalar(query)
    if strategy is None:
        raise NotFound(f"no strategy {key}")
    if not principal.covers(strategy.org):
        raise Forbidden(f"the strategy belongs to {strategy.org}")
    return strategy


def _require_own(principal: Principal, org: OrgPath) -> None:
    if not principal.covers(org):
        errors = [FieldError("/org", "is outside your organisation")]
        raise Forbidden("the strategy reaches beyond your organisation", errors=errors)


async def _require_sound(session: AsyncSession, content: StrategyContent) -> None:
    errors = [*contradictions(content), *await unknown(session, content)]
    if errors:
        raise Unprocessable("the strategy cannot be carried out as it stands", errors=errors)


def _require_complete(content: StrategyContent) -> None:
    errors = missing(parts(content))
    if errors:
        raise Unprocessable("parts of the strategy are missing", errors=errors, slug="strategy-incomplete")


async def _require_room(session: AsyncSession, key: str, content: StrategyContent) -> None:
    """A budget is no less than what campaigns take of it already."""
    if content.budget is None:
        return
    taken = await commitment(session, key)
    if set(taken.currencies) - {content.budget.currency}:
        errors = [FieldError("/budget/currency", f"campaigns count in {', '.join(taken.currencies)}")]
    elif content.budget.amount < taken.amount:
        errors = [FieldError("/budget/amount", f"campaigns take {taken.amount} of it already")]
    else:
        return
    raise Conflict("the budget does not hold its campaigns", errors=errors, slug="below-committed")


def _write(strategy: Strategy, content: StrategyContent) -> None:
    strategy.content = content.model_dump(mode="json")
    strategy.org = content.org
    strategy.starts_on = content.objective.start if content.objective else None
    strategy.ends_on = content.objective.end if content.objective else None


def _version(strategy: Strategy, principal: Principal) -> StrategyVersion:
    return StrategyVersion(
        key=strategy.key,
        version=strategy.version,
        content=strategy.content,
        written_at=clock.now(),
        written_by=principal.id,
    )


async def _save(
    session: AsyncSession,
    principal: Principal,
    strategy: Strategy,
    action: str,
    detail: dict[str, object] | None = None,
) -> None:
    strategy.revision += 1
    strategy.changed_at, strategy.changed_by = clock.now(), principal.id
    await session.flush()
    audit(session, principal, action, f"strategy/{strategy.key}", detail)
