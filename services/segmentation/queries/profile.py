"""How a group of customers differs from everybody, over the numeric features."""

from collections.abc import Sequence

import duckdb
import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from services.segmentation.domain.contrast import Contrast, contrasts
from services.segmentation.domain.feature_catalogue import BUILT_IN
from services.segmentation.domain.features import Catalogue, FeatureType
from services.segmentation.domain.rules.compiler import Compiler, Moment
from services.segmentation.store import reading
from shared.contracts.base import LocalText
from shared.contracts.segmentation import FeatureContrast

NUMERIC = {FeatureType.number, FeatureType.integer, FeatureType.money, FeatureType.boolean}
PROFILED = (
    *("age", "tenure_months", "aum", "deposit_balance", "wealth_balance", "loan_balance", "product_count"),
    *("days_to_maturity", "aum_90d_ago", "txn_count_30d", "txn_count_90d", "inflow_30d", "outflow_30d"),
    *("net_inflow_30d", "net_inflow_90d", "avg_txn_amount_90d", "max_txn_amount_90d", "last_txn_days"),
    *("card_spend_30d", "card_spend_90d", "aum_change_90d", "wealth_share", "digital_share_90d"),
    *("login_count_30d", "last_login_days", "complaint_count_180d", "contact_count_90d", "salary_flag"),
    *("branch_visit_count_90d", "max_days_overdue_180d", "contribution_12m", "relation_count"),
    *("consent_call", "consent_sms", "consent_email"),
)
"""What a profile compares by itself: one of each kind, as all would take gigabytes of a large bank."""

Matrix = dict[str, NDArray[np.float64]]


def feature_matrix(
    cursor: duckdb.DuckDBPyConnection,
    keys: Sequence[str],
    moment: Moment,
    org: str | None = None,
    catalogue: Catalogue = BUILT_IN,
) -> tuple[NDArray[np.uint32], Matrix]:
    """Ordinals and the features as float columns, NaN where unknown, of every active customer."""
    compiler = Compiler(catalogue, moment)
    for number, key in enumerate(keys):
        compiler.add_feature(f"f{number}", key, numeric=True)
    columns = reading.columns(cursor, compiler.query(org=org), _no_members)
    ordinals = np.asarray(columns["ordinal"]).astype(np.uint32)
    matrix = {
        key: np.ma.filled(columns[f"f{number}"].astype(np.float64), np.nan) for number, key in enumerate(keys)
    }
    return ordinals, matrix


def _no_members(key: str) -> BitMap:
    raise LookupError(key)


def contrast_views(
    matrix: Matrix, group: NDArray[np.bool_], catalogue: Catalogue = BUILT_IN
) -> list[FeatureContrast]:
    return [contrast_view(each, catalogue) for each in contrasts(matrix, group)]


def contrast_view(each: Contrast, catalogue: Catalogue = BUILT_IN) -> FeatureContrast:
    feature = catalogue[each.feature]
    return FeatureContrast(
        feature=each.feature,
        name=LocalText(zh=feature.zh, en=feature.en),
        unit=feature.unit,
        mean=each.mean,
        mean_all=each.mean_all,
        deviation_all=each.deviation_all,
        standardised_difference=each.difference,
        known=each.known,
    )
