"""How a group of customers differs from everybody in what is a word: occupation, industry, risk level."""

import duckdb
import numpy as np
from numpy.typing import NDArray

from services.segmentation.domain.contrast import ShareContrast, share_contrasts
from services.segmentation.domain.feature_catalogue import BUILT_IN
from services.segmentation.domain.features import FeatureType
from services.segmentation.domain.rules.compiler import Compiler, Moment
from services.segmentation.store.staging import register_ordinals
from shared.contracts.base import LocalText
from shared.contracts.segmentation.contrasts import CategoryContrast

WORDS = tuple(
    feature.key
    for feature in BUILT_IN
    if feature.type is FeatureType.text and feature.key not in {"org", "primary_manager", "backup_manager"}
)
_SHOWN = 40


def category_shares(
    cursor: duckdb.DuckDBPyConnection, members: NDArray[np.uint32], moment: Moment, org: str
) -> list[CategoryContrast]:
    """The words of every text feature whose share among `members` below `org` is another than among all."""
    register_ordinals(cursor, "grouped", members)
    found = [each for key in WORDS for each in share_contrasts(key, _counts(cursor, key, moment, org))]
    cursor.unregister("grouped")
    found.sort(key=lambda each: -abs(each.difference))
    return [_view(each) for each in found[:_SHOWN]]


def _counts(
    cursor: duckdb.DuckDBPyConnection, key: str, moment: Moment, org: str
) -> dict[str | None, tuple[int, int]]:
    compiler = Compiler(BUILT_IN, moment)
    compiler.add_feature("word", key)
    query = compiler.query(org=org)
    rows = cursor.execute(
        f"SELECT word, count(grouped.ordinal), count(*) FROM ({query.sql}) "  # noqa: S608 - compiled
        "LEFT JOIN grouped USING (ordinal) GROUP BY word",
        dict(query.parameters),
    ).fetchall()
    return {word: (inside, everybody) for word, inside, everybody in rows}


def _view(each: ShareContrast) -> CategoryContrast:
    feature = BUILT_IN[each.feature]
    return CategoryContrast(
        feature=each.feature,
        name=LocalText(zh=feature.zh, en=feature.en),
        value=each.value,
        share=each.share,
        share_all=each.share_all,
        lift=each.share / each.share_all,
        standardised_difference=each.difference,
    )
