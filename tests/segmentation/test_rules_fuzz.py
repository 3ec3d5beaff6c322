"""Any text becomes a rule that the engine can run, or a problem with a place; never anything else."""

import re
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroaring import BitMap

from services.segmentation.domain.expressions.defined import Definition, check_definition, defined
from services.segmentation.domain.expressions.sql_form import parse_expression
from services.segmentation.domain.expressions.text import expression_sql
from services.segmentation.domain.feature_catalogue import BUILT_IN
from services.segmentation.domain.rules.compiler import Compiler, Moment
from services.segmentation.domain.rules.problems import RuleError
from services.segmentation.domain.rules.sql_form import FUNCTIONS, parse_sql
from services.segmentation.domain.rules.text import to_sql
from services.segmentation.store import reading
from services.segmentation.store.store import Store
from tests.segmentation.rules_oracle import ZONE
from tests.segmentation.rules_oracle_features import KNOWN
from tests.segmentation.rules_random import NOW, Expressions, Rules

WORDS = (
    *"()=<>,.;'\"-+*/%|&!?$:[]{}~^@# \n\\\x00\x07é",
    *("aum", "age", "gender", "salary_flag", "birth_date", "risk_valid_until", "org", "days_to_salary_day"),
    *("and", "or", "not", "in", "is", "null", "unknown", "between", "like", "true", "false", "all", "any"),
    *FUNCTIONS,
    *("coalesce", "nullif", "greatest", "least", "abs", "round", "read_csv", "getenv", "sum", "try_cast"),
    *("'login'", "'supplies'", "'gold'", "'bank'", "'2020-02-30'", "'2020-01-01'", "'x", "''", "$t", "$p0"),
    *("0", "1", "30", "1.5", "1e400", "99999999999999999999", "0x10", "1_000", "-5", ".5"),
    *("select", "from", "case", "when", "end", "--", "/*", "*/", "cast", "as", "date", "interval", "exists"),
    *("union", "x'", "e'", "over", "lambda", "filter", "within", "group", "distinct", "::", "//", "**", "->"),
)
PLACE = re.compile(r"\(line \d+, column \d+\)$")
SEEDS = st.integers(0, 2**32 - 1)
SOUP = st.lists(st.sampled_from(WORDS), max_size=16).map(" ".join)
ANY = st.one_of(st.text(max_size=60), SOUP)
TOKEN = re.compile(r"'(?:[^']|'')*'|[<>!]=|<>|[\w.]+|\S")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    opened = Store(tmp_path_factory.mktemp("store") / "fuzz.duckdb", threads=1)
    yield opened
    opened.close()


def alike(token: str, random: Random) -> str:
    """Another token of the same sort, which is a rule again more often than not."""
    sorts = (
        ("0", "1", "1.5", "30", "3660", "3661", "999999999999999", "0.000001"),
        ("=", "<>", ">", ">=", "<", "<=", "+", "/"),
        ("'login'", "'card.spent'", "'gold'", "'2020-02-29'", "'supplies'", "'in'", "'bank'"),
        ("and", "or", "and not", "or not"),
        (*FUNCTIONS, *(feature.key for feature in KNOWN)),
    )
    sort = next((sort for sort in sorts if token in sort), None)
    if token[0].isdigit():
        sort = sorts[0]
    return random.choice(sort or (token,))


def mutated(text: str, random: Random) -> str:
    """The text with some tokens gone, doubled, exchanged or replaced, or one letter changed."""
    tokens = TOKEN.findall(text)
    for _ in range(random.choice([1, 1, 2, 3])):
        place = random.randrange(len(tokens) + 1)
        match random.randrange(10):
            case 0:
                tokens[place : place + 1] = []
            case 1:
                tokens[place:place] = tokens[place : place + random.randint(1, 4)]
            case 2:
                tokens[place : place + 1] = [random.choice(WORDS)]
            case 3:
                tokens.insert(place, random.choice(WORDS))
            case 4:
                other = random.randrange(len(tokens) + 1)
                tokens[place : place + 1], tokens[other : other + 1] = (
                    tokens[other : other + 1],
                    tokens[place : place + 1],
                )
            case _:
                tokens[place : place + 1] = [alike(each, random) for each in tokens[place : place + 1]]
        tokens = tokens or ["1"]
    text = " ".join(tokens)
    if random.random() < 0.2:
        letter = random.randrange(len(text))
        text = text[:letter] + chr(random.randrange(1, 0x250)) + text[letter + 1 :]
    return text


def _own_text() -> str:
    """What queries are made of by themselves: a constant that happens to be a part of it proves nothing."""
    compiler = Compiler(BUILT_IN, Moment(NOW, ZONE))
    for number, feature in enumerate(BUILT_IN):
        compiler.add_feature(f"f{number}", feature.key)
    rules = (
        "sequence('a', 'b', 3) and again('a', 3) and matures_within(3) and has_product('a')",
        "related('supplies', 'a', 'both') and in_segment('a') and stopped('a', 3) and never('b')",
        "percentile(aum, 'tier1') > 3 and rank(aum, 'bank') between 3 and 4 and (age in (3)) is unknown",
        "count_events('a', 3, amount > 3 and note is null) > 3 and distinct_events('a', channel, 3) > 3",
    )
    for number, text in enumerate(rules):
        compiler.add_rule(f"s{number}", parse_sql(text, BUILT_IN))
    return compiler.query().sql


OWN_TEXT = _own_text()


def _run(store: Store, compiler: Compiler) -> None:
    query = compiler.query()
    texts = [value for value in query.parameters.values() if isinstance(value, str)]
    assert all(each not in query.sql or each in OWN_TEXT for each in texts if len(each) > 3)
    with store.read() as cursor:
        reading.columns(cursor, query, lambda _key: BitMap())


def has_place(refused: RuleError) -> bool:
    return PLACE.search(refused.detail) is not None or "at least one feature" in refused.detail


def try_rule(store: Store, text: str) -> bool:
    try:
        rule = parse_sql(text, BUILT_IN)
    except RuleError as error:
        if has_place(error):
            return False
        raise
    assert parse_sql(to_sql(rule), BUILT_IN) == rule
    compiler = Compiler(BUILT_IN, Moment(NOW, ZONE))
    compiler.add_rule("s0", rule)
    _run(store, compiler)
    return True


def try_expression(store: Store, text: str) -> bool:
    try:
        tree = parse_expression(text, BUILT_IN)
        check_definition("own", tree, BUILT_IN, "/expression")
    except RuleError as error:
        if has_place(error):
            return False
        raise
    assert parse_expression(expression_sql(tree), BUILT_IN) == tree
    own = defined(Definition("own", "x", "x", None, text), tree)
    compiler = Compiler(BUILT_IN.with_features([own]), Moment(NOW, ZONE))
    compiler.add_feature("f0", "own")
    _run(store, compiler)
    return True


@given(ANY)
@settings(max_examples=400, deadline=None)
def test_any_text(store: Store, text: str) -> None:
    try_rule(store, text)
    try_expression(store, text)


@given(SEEDS)
@settings(max_examples=150, deadline=None)
def test_a_valid_text_changed(store: Store, seed: int) -> None:
    change(store, seed)


def change(store: Store, seed: int) -> None:
    random = Random(seed)
    try_rule(store, mutated(to_sql(Rules(random).rule()), random))
    numbers = ["aum", "age", "salary_flag"]
    try_expression(store, mutated(expression_sql(Expressions(random, numbers).expression()), random))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@given(st.one_of(SEEDS, ANY))
@settings(max_examples=20_000, deadline=None)
def test_any_text_often(store: Store, drawn: int | str) -> None:
    if isinstance(drawn, int):
        change(store, drawn)
    else:
        try_rule(store, drawn)
        try_expression(store, drawn)


def test_some_changed_texts_are_rules_again(store: Store) -> None:
    """Else the property above would only try refusals."""
    random = Random(7)
    taken = [try_rule(store, mutated(to_sql(Rules(random, KNOWN).rule()), random)) for _ in range(60)]
    assert 10 <= sum(taken) <= 50
