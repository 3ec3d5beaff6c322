"""The vocabulary of relations between customers, and what of it makes sense."""

from dataclasses import dataclass
from datetime import date

UNKNOWN_BEGINNING = date(1, 1, 1)


@dataclass(frozen=True, slots=True)
class Word:
    """`from` <word> `to`. Of a symmetric relation both ends are alike."""

    zh: str
    en: str
    inverse_zh: str
    inverse_en: str
    symmetric: bool = False
    from_kind: str | None = None
    to_kind: str | None = None


WORDS = {
    "supplies": Word("供应", "supplies", "由其供应", "is supplied by"),
    "distributes": Word("经销", "distributes for", "由其经销", "is distributed by"),
    "parent": Word("母公司", "is the parent of", "子公司", "is a subsidiary of", False, "company", "company"),
    "shareholder": Word("股东", "holds shares of", "被持股", "is held by", False, None, "company"),
    "employs": Word("雇佣", "employs", "受雇于", "is employed by", False, None, "person"),
    "executive": Word("高管", "is an executive of", "高管为", "is led by", False, "person", "company"),
    "guarantees": Word("担保", "guarantees", "由其担保", "is guaranteed by"),
    "household": Word("家庭", "lives with", "家庭", "lives with", True, "person", "person"),
    "associate": Word("关联", "is related to", "关联", "is related to", True),
}


def unfitting_end(kind: str, from_kind: str, to_kind: str) -> str | None:
    """Which end of a relation cannot be what it is: `from`, `to` or none."""
    word = WORDS[kind]
    if word.from_kind is not None and word.from_kind != from_kind:
        return "from"
    if word.to_kind is not None and word.to_kind != to_kind:
        return "to"
    return None
