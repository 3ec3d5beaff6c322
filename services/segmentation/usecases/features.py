"""Writing features: define, edit, archive."""

from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.domain.expressions.defined import Definition, check_definition, defined
from services.segmentation.domain.expressions.sql_form import parse_expression
from services.segmentation.domain.expressions.text import expression_sql
from services.segmentation.domain.expressions.tree import Expression
from services.segmentation.domain.features import Catalogue, Feature
from services.segmentation.models import DefinedFeature
from services.segmentation.queries.features import load_catalogue
from services.segmentation.usecases.declaring import insert_new, taken
from services.segmentation.usecases.feature_users import users_of_feature
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.segmentation.features import FeatureCreate, FeaturePatch
from shared.errors import Conflict

_TRIAL = "expression_on_trial"


async def create_feature(
    session: AsyncSession, principal: Principal, wanted: FeatureCreate
) -> DefinedFeature:
    """Raises `RuleError` for a bad expression, `Conflict` when the key is taken."""
    catalogue = await load_catalogue(session)
    tree = checked_expression(wanted.key, wanted.expression, catalogue)
    if wanted.key in catalogue:
        raise taken("feature", wanted.key)
    now = clock.now()
    created = await insert_new(
        session,
        DefinedFeature,
        "feature",
        key=wanted.key,
        name=wanted.name.model_dump(),
        description=wanted.description,
        unit=wanted.unit,
        expression=expression_sql(tree),
        created_by=principal.id,
        created_at=now,
        updated_at=now,
    )
    audit(session, principal, "create", f"feature/{created.key}", {"expression": created.expression})
    return created


async def edit_feature(
    session: AsyncSession, principal: Principal, feature: DefinedFeature, change: FeaturePatch
) -> None:
    """Changes what is given. What it computes changes only while nothing is made of it."""
    _refuse_archived(feature)
    if change.expression is not None:
        catalogue = await load_catalogue(session)
        expression = expression_sql(checked_expression(feature.key, change.expression, catalogue))
        if expression != feature.expression:
            await _refuse_used(session, feature.key, catalogue, "change what it computes")
            feature.expression = expression
    if change.name is not None:
        feature.name = change.name.model_dump()
    if change.description is not None:
        feature.description = change.description
    if "unit" in change.model_fields_set:
        feature.unit = change.unit
    _touch(feature)
    await session.flush()
    audit(session, principal, "edit", f"feature/{feature.key}", {"expression": feature.expression})


async def archive_feature(session: AsyncSession, principal: Principal, feature: DefinedFeature) -> None:
    """No new rule may name it. Refused while something is made of it."""
    _refuse_archived(feature)
    await _refuse_used(session, feature.key, await load_catalogue(session), "archive it")
    feature.archived = True
    _touch(feature)
    await session.flush()
    audit(session, principal, "archive", f"feature/{feature.key}")


def checked_expression(key: str, text: str, catalogue: Catalogue) -> Expression:
    tree = parse_expression(text, catalogue)
    check_definition(key, tree, catalogue, "/expression")
    return tree


def feature_on_trial(text: str, catalogue: Catalogue) -> Feature:
    """The expression as a feature of no name that anybody could have given."""
    tree = checked_expression(_TRIAL, text, catalogue)
    return defined(Definition(_TRIAL, _TRIAL, _TRIAL, None, expression_sql(tree)), tree)


async def _refuse_used(session: AsyncSession, key: str, catalogue: Catalogue, what: str) -> None:
    if users := await users_of_feature(session, key, catalogue):
        raise Conflict(
            f"Nobody can {what} while it is in use: {', '.join(users[:20])}. "
            "Define another feature beside it, and let these use that one."
        )


def _refuse_archived(feature: DefinedFeature) -> None:
    if feature.archived:
        raise Conflict("The feature is archived.")


def _touch(feature: DefinedFeature) -> None:
    feature.revision += 1
    feature.updated_at = clock.now()
