"""What a kind of model is, what its trainer gets and what it gives back.

A trainer is a plain function in a thread of the worker: it reads through `Training.keep` (or
`Training.features`), so that the run keeps what it read and can be trained again from the same
facts, and draws every random number from `Training.seed`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import duckdb
import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from services.segmentation.domain.feature_catalogue import BUILT_IN
from services.segmentation.domain.features import Catalogue
from services.segmentation.domain.rules.compiler import Moment
from services.segmentation.queries.profile import Matrix, feature_matrix
from services.segmentation.store.bitmaps import to_array
from services.segmentation.store.parts import Table
from shared.contracts.base import LocalText, Schema
from shared.contracts.segmentation import FeatureContrast
from shared.errors import FieldError
from shared.pulse import Pulse

FEATURES = "features"


@dataclass(frozen=True)
class Group:
    """Customers who belong together: `size` of those the run saw. `centre` is in prepared units."""

    number: int
    name: LocalText
    size: int
    description: LocalText
    profile: Sequence[FeatureContrast] = ()
    centre: Mapping[str, float] = field(default_factory=dict)
    rule: str | None = None
    """SQL that says who belongs to it."""
    rule_quality: Mapping[str, float] | None = None
    """How well the rule fits where it does not define the group: precision and recall."""
    members: NDArray[np.bool_] | None = None
    """Over `Trained.ordinals`, where groups overlap; else `Trained.labels` tells."""


@dataclass(frozen=True)
class Previous:
    """The newest run of the same model that succeeded before."""

    run_id: UUID
    number: int
    groups: Sequence[Group]
    report: Mapping[str, Any]
    ordinals: NDArray[np.uint32]
    labels: NDArray[np.int32] | None
    scores: Mapping[str, NDArray[np.float32]]


@dataclass
class Inputs:
    """What a run reads, remembered under a name; in a reproduction what it read then."""

    kept: dict[str, Table] = field(default_factory=dict)
    replayed: bool = False

    def table(self, name: str, read: Callable[[], Table]) -> Table:
        if name not in self.kept:
            if self.replayed:
                raise LookupError(f"the run did not keep '{name}'")
            self.kept[name] = read()
        return self.kept[name]


@dataclass(frozen=True)
class Training:
    """What a trainer gets; it runs in a thread of the job's worker."""

    cursor: duckdb.DuckDBPyConnection
    """One consistent moment of the store."""
    parameters: Schema
    moment: Moment
    seed: int
    previous: Previous | None
    inputs: Inputs
    pulse: Pulse
    segments: Mapping[str, BitMap] = field(default_factory=dict)
    """Members of the live segments that `Kind.segments` named."""
    catalogue: Catalogue = BUILT_IN

    def progress(self, share: float, step: str) -> None:
        """`share` 0..1. Raises `CancelledJobError` when the job was cancelled: let it through, call often."""
        self.pulse.tell(share, step)

    def keep(self, name: str, read: Callable[[duckdb.DuckDBPyConnection], Table]) -> Table:
        """The columns that `read` finds, numpy arrays of one length without null, kept with the run."""
        return self.inputs.table(name, lambda: read(self.cursor))

    def features(self, keys: Sequence[str]) -> tuple[NDArray[np.uint32], Matrix]:
        """Ordinals of all active customers, ascending, and these features as columns, NaN where unknown."""
        table = self.keep(FEATURES, lambda cursor: self._read(cursor, keys))
        return table["ordinal"], {key: table[key] for key in keys}

    def _read(self, cursor: duckdb.DuckDBPyConnection, keys: Sequence[str]) -> Table:
        ordinals, matrix = feature_matrix(cursor, keys, self.moment, catalogue=self.catalogue)
        order = np.argsort(ordinals)
        return {"ordinal": ordinals[order], **{key: values[order] for key, values in matrix.items()}}

    def members(self, segment: str) -> NDArray[np.uint32]:
        """Ordinals of the members of a live segment, ascending."""
        ordinals = to_array(self.segments.get(segment, BitMap()))
        return self.keep(f"segment {segment}", lambda _: {"ordinal": ordinals})["ordinal"]


@dataclass(frozen=True)
class Trained:
    """The result of a run over the customers `ordinals`, which ascend."""

    ordinals: NDArray[np.uint32]
    metrics: dict[str, Any]
    """Single figures that say how good it is, as JSON."""
    preparation: dict[str, Any]
    """JSON: enough to repeat and to apply."""
    labels: NDArray[np.int32] | None = None
    """Number of the group 1..k per customer, 0 for none."""
    scores: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    """Named columns per customer: degree_1.., probability, clv, recency…; NaN for none."""
    groups: Sequence[Group] = ()
    report: dict[str, Any] = field(default_factory=dict)
    """JSON of tables and pictures: `k_table`, `drift`, `projection`, `calibration`…"""


@dataclass(frozen=True)
class Kind:
    """`check` finds what the schema cannot; `train` raises `ValueError` with a text for people."""

    parameters: type[Schema]
    check: Callable[[Any], list[FieldError]]
    train: Callable[[Training], Trained]
    segments: Callable[[Any], Sequence[str]] = lambda _: ()
    """Keys of the segments whose members the trainer needs."""
    features: Callable[[Any], Sequence[tuple[str, str]]] = lambda _: ()
    """JSON pointer and key of the features that may be any number of the catalogue, people's own too."""
    of_the_past: bool = False
    """Its features must be known of earlier moments."""
