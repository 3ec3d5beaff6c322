"""What an unknown file seems to be, from its first rows, and how it could be imported."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import pyarrow as pa

from services.customer.usecases.import_datasets import DATASETS, Column, Dataset
from services.customer.usecases.import_inference import Inferred, infer
from services.customer.usecases.import_mapping import derive
from services.customer.usecases.import_names import SYNONYMS, VALUES
from services.customer.usecases.import_source import UNREADABLE, ImportSource
from shared.contracts.customer.imports import (
    ColumnProposal,
    ColumnSource,
    FileColumnView,
    ImportMapping,
    ImportProposal,
    MissingColumn,
)
from shared.contracts.customer.vocabulary import ImportDataset
from shared.errors import Unprocessable

SAMPLE_ROWS = 2_000
_LEAST = 0.5
_ALIKE = 0.8


@dataclass(frozen=True, slots=True)
class _Offer:
    target: str
    name: str
    source: ColumnSource
    confidence: float
    reason: str


_MAX_COLUMNS = 200
"""As many as a mapping takes; see `ImportMapping`."""


def propose(source: ImportSource, dataset: ImportDataset) -> ImportProposal:
    """Look at the first rows; 422 when they cannot be read."""
    names = source.names()
    if len(set(names)) < len(names):
        raise Unprocessable("The file's column names repeat")
    if len(names) > _MAX_COLUMNS:
        raise Unprocessable(f"A mapping has at most {_MAX_COLUMNS} columns, the file has {len(names)}")
    batch = _first_rows(source, names)
    columns = {name: infer(name, batch[name].to_pylist()) for name in names}
    target = DATASETS[dataset]
    chosen = _choose(target, columns, batch)
    taken = {offer.target for offer in chosen}
    used = {offer.name for offer in chosen}
    is_csv = source.dialect.format == "csv"
    return ImportProposal.model_validate(
        {
            "dataset": dataset,
            "format": source.dialect.format,
            "encoding": source.dialect.encoding if is_csv else None,
            "delimiter": source.dialect.delimiter if is_csv else None,
            "quote": source.dialect.quote if is_csv else None,
            "rows": batch.num_rows,
            "columns": [_view(column) for column in columns.values()],
            "mapping": ImportMapping(columns={offer.target: offer.source for offer in chosen})
            if chosen
            else None,
            "proposals": [
                ColumnProposal(
                    target=offer.target,
                    source=offer.source,
                    confidence=round(offer.confidence, 2),
                    reason=offer.reason,
                )
                for offer in chosen
            ],
            "missing": [
                MissingColumn(target=name, required=column.required, detail=_missing(name, column))
                for name, column in target.columns.items()
                if name not in taken
            ],
            "ignored": [name for name in names if name not in used],
        }
    )


def _first_rows(source: ImportSource, names: Sequence[str]) -> pa.RecordBatch:
    try:
        batches = source.batches(names)
        _before, batch = next(batches, (0, None))
        batches.close()
    except UNREADABLE as error:
        raise Unprocessable(f"The file cannot be read as {source.dialect.format}") from error
    if batch is None:
        return pa.RecordBatch.from_arrays([pa.nulls(0, pa.string()) for _ in names], names=list(names))
    return batch.slice(0, SAMPLE_ROWS)


def _view(column: Inferred) -> FileColumnView:
    return FileColumnView(
        name=column.name,
        type=column.type,
        date_format=column.date_format,
        decimal_comma=column.decimal_comma,
        null_share=column.null_share,
        distinct=column.distinct,
        samples=column.samples,
        categories=column.categories,
    )


def _missing(name: str, column: Column) -> str:
    if name == "source":
        return "name the source system as a constant"
    return "map a column or a constant" if column.required else "stays empty"


def _choose(dataset: Dataset, columns: Mapping[str, Inferred], batch: pa.RecordBatch) -> list[_Offer]:
    """The surest first; each target and each column of the file once."""
    offers = [
        offer
        for name, column in columns.items()
        for target, rule in dataset.columns.items()
        if (offer := _offer(target, rule, column, batch)) is not None
    ]
    chosen: dict[str, _Offer] = {}
    used: set[str] = set()
    for offer in sorted(offers, key=lambda offer: -offer.confidence):
        if offer.target not in chosen and offer.name not in used:
            chosen[offer.target] = offer
            used.add(offer.name)
    if dataset.properties:
        chosen |= {offer.target: offer for offer in _properties(columns, used)}
    order = {name: place for place, name in enumerate(dataset.columns)}
    return sorted(chosen.values(), key=lambda offer: order.get(offer.target, len(order)))


def _offer(target: str, rule: Column, column: Inferred, batch: pa.RecordBatch) -> _Offer | None:
    likeness, reason = _likeness(target, column.name)
    if likeness < _LEAST:
        return None
    source = _source(target, rule, column)
    share = _fitting(source, rule, column, batch)
    confidence = likeness * share
    if share < 1:
        reason += f"; {share:.0%} of its values fit"
    return _Offer(target, column.name, source, confidence, reason) if confidence >= _LEAST else None


def _likeness(target: str, name: str) -> tuple[float, str]:
    plain = _plain(name)
    if plain == _plain(target):
        return 1.0, "the same name"
    if plain in SYNONYMS.get(target, ()):
        return 0.9, "a name used for it"
    best = max(
        (
            SequenceMatcher(None, plain, known).ratio()
            for known in (_plain(target), *SYNONYMS.get(target, ()))
        ),
        default=0.0,
    )
    return (best * 0.8, "a similar name") if best >= _ALIKE else (0.0, "")


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())


def _source(target: str, rule: Column, column: Inferred) -> ColumnSource:
    dated = rule.kind in {"day", "instant"}
    usual = column.date_format in {None, "%Y-%m-%d"} or column.type == "instant"
    values = VALUES.get(target)
    return ColumnSource(
        column=column.name,
        trim=column.padded,
        decimal_comma=rule.kind == "money" and column.decimal_comma,
        date_format=column.date_format if dated and not usual else None,
        values={
            value: values[value.casefold()]
            for value in column.different
            if value.casefold() in values and values[value.casefold()] != value
        }
        or None
        if values
        else None,
    )


def _fitting(source: ColumnSource, rule: Column, column: Inferred, batch: pa.RecordBatch) -> float:
    """Share of the present values that have the target's form once made as proposed."""
    derived = derive(batch, range(1, batch.num_rows + 1), source, rule.kind).values.to_pylist()
    present = [value for value in derived if value is not None]
    if not present:
        return 0.0 if column.null_share < 1 else 0.6
    pattern = re.compile(rule.pattern)
    return sum(1 for value in present if pattern.search(value)) / max(column.present, 1)


def _properties(columns: Mapping[str, Inferred], used: set[str]) -> list[_Offer]:
    """What is left of an events file becomes properties of its events."""
    left = [name for name in columns if name not in used]
    names = {name: re.sub(r"\W+", "_", name.strip().lower(), flags=re.ASCII).strip("_") for name in left}
    twice = {name for name, count in Counter(names.values()).items() if count > 1}
    return [
        _Offer(f"data.{names[name]}", name, ColumnSource(column=name), _LEAST, "a property of the event")
        for name in left
        if names[name] not in twice and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", names[name])
    ]
