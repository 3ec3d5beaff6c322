"""The built-in features of a bank's customer."""

from services.segmentation.domain.catalogue.activity import ACTIVITY
from services.segmentation.domain.catalogue.flows import FLOWS
from services.segmentation.domain.catalogue.holdings import HOLDINGS
from services.segmentation.domain.catalogue.life_cycle import LIFE_CYCLE
from services.segmentation.domain.catalogue.profile import PROFILE
from services.segmentation.domain.catalogue.ratios import DERIVED
from services.segmentation.domain.catalogue.value import VALUE
from services.segmentation.domain.features import Catalogue

BUILT_IN = Catalogue((*PROFILE, *HOLDINGS, *FLOWS, *VALUE, *DERIVED, *ACTIVITY, *LIFE_CYCLE))
