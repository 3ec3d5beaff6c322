"""What the rule language refuses, always with a problem and a place, never with anything else."""

import pytest

from services.segmentation.domain.feature_catalogue import BUILT_IN
from services.segmentation.domain.rules.compiler import Compiler, Moment
from services.segmentation.domain.rules.problems import RuleError
from services.segmentation.domain.rules.references import check_references, evaluation_order, stages
from services.segmentation.domain.rules.sql_form import parse_sql
from tests.segmentation.rules_oracle import ZONE
from tests.segmentation.rules_random import NOW

INJECTIONS = (
    "1=1; drop table customer",
    "aum > 1; select 1",
    "aum > (select max(balance) from holding)",
    "exists (select 1 from customer)",
    "aum in (select balance from holding)",
    "aum > 1 union select 1",
    "sequence('a', 'b')",
    "sequence('a', 'b', 3) = true",
    "sequence('a', 'b', 3, 0)",
    "sequence('a', 'b', 3, 4, 5)",
    "sequence('a', (select 'b'), 3)",
    "again('x')",
    "again('x', 3.5)",
    "related('supplies')",
    "related('owns', 'core')",
    "related('supplies', 'core', 'up')",
    "related('supplies', 'core', 3)",
    "percentile(aum)",
    "percentile(gender) > 3",
    "percentile(aum + 1) > 3",
    "percentile(aum, 'world') > 3",
    "percentile(count_events('x', 3)) > 3",
    "rank(aum) > 'x'",
    "rank() over (order by aum) > 1",
    "rank() > 1",
    "percent_rank(aum) > 1",
    "matures_within(30, 31)",
    "matures_within(30, -1)",
    "matures_within(0)",
    "(aum) is unknown is unknown is",
    "salary_flag is not true",
    "read_csv('/etc/passwd') = 'x'",
    "aum > 1 or read_text('/etc/passwd') like 'root%'",
    "gender = (select content from read_text('/etc/passwd'))",
    "getenv('HOME') = 'x'",
    "pragma_version() = 'x'",
    "attach 'x.db'",
    "copy customer to '/tmp/x'",
    "install httpfs",
    "load httpfs",
    "set memory_limit = '1TB'",
    "call pragma_version()",
    "aum > $1",
    "aum > ?",
    "aum > $t",
    "aum > :x",
    "aum > @x",
    "customer.aum > 1",
    "main.customer.aum > 1",
    "information_schema.tables.x = 1",
    "aum::varchar = '1'",
    "cast(aum as varchar) = '1'",
    "try_cast('1' as date) < birth_date",
    "date(birth_date) = '2020-01-01'",
    "aum + 1 > 2",
    "aum / 0 > 1",
    "-aum > 1",
    "not aum",
    "aum",
    "aum is true",
    "aum > all (select 1)",
    "aum > any ([1, 2])",
    "aum = [1]",
    "aum = {'a': 1}",
    "aum = interval 1 day",
    "lambda x: x > 1",
    "list_filter([1], x -> x > 1)",
    "case when aum > 1 then true else false end",
    "if(aum > 1, true, false)",
    "coalesce(aum, 0) > 1",
    "gender like '%'",
    "gender ~ '.*'",
    "gender similar to 'x'",
    "gender glob '*'",
    "gender between 'a' and 'b'",
    "gender || 'x' = 'Fx'",
    "random() > 0.5",
    "now() > birth_date",
    "current_date > birth_date",
    "current_user = 'x'",
    "row_number() over () = 1",
    "count(*) > 1",
    "sum(aum) over () > 1",
    "aum > 1 -- comment\n; drop table x",
    "/* aum */",
    "count_events('transaction.posted', 30, exists (select 1)) > 1",
    "count_events('transaction.posted', 30, amount > (select 1)) > 1",
    "count_events('transaction.posted', 30, amount > 1 or amount < 0) > 1",
    "count_events('transaction.posted', 30, data = 'x' and not (a = 1)) > 1",
    "count_events('transaction.posted', 30, e.amount > 1) > 1",
    "count_events(transaction.posted, 30) > 1",
    "count_events('transaction.posted' || 'x', 30) > 1",
    "count_events('transaction.posted'' or 1=1', 30) > 1",
    "count_events('transaction.posted', 30.5) > 1",
    "count_events('transaction.posted', -1) > 1",
    "count_events('transaction.posted', 99999) > 1",
    "count_events('transaction.posted', aum) > 1",
    "count_events('transaction.posted', 30) > aum",
    "sum_events('transaction.posted', \"amount) from event --\", 30) > 1",
    "sum_events('transaction.posted', channel, 30) > 1",
    "sum_events('transaction.posted', amount) > 1",
    "in_segment('x'' or ''1''=''1')",
    "in_segment(gender)",
    "in_segment('A B')",
    "has_product('x; drop')",
    "never('x') = true",
    "stopped('x')",
    "first_event('x') > last_event('y')",
    "first_event('x') > 'yesterday'",
    "aum > 1e99",
    "aum > 'nan'",
    "aum > 'infinity'",
    "age > 1 and",
    "((age > 1)",
    "age > 1)",
    "'",
    '"',
    "age >",
    "select age > 1",
    "where age > 1",
    "age > 1, aum > 2",
    "\x00",
    "age > 1\x00",
    "gender = 'a\x00b'",
    "ａｇｅ > 1",
)


@pytest.mark.parametrize("text", INJECTIONS)
def test_refused_with_a_place(text: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse_sql(text, BUILT_IN)
    assert caught.value.errors[0].pointer == "/definition/sql"
    assert caught.value.status == 422


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("age > 1 and\n  agee < 5", "line 2, column 3"),
        ("age > 1 or gender > 'x'", "line 1, column 12"),
        ("age > 1 and count_events('x', 0) > 1", "line 1, column 31"),
        ("age >> 1", "line 1, column 1"),
    ],
)
def test_the_place_is_the_cause(text: str, place: str) -> None:
    with pytest.raises(RuleError, match=place):
        parse_sql(text, BUILT_IN)


def test_too_large_and_too_deep_are_refused() -> None:
    for text in (
        " and ".join(["age > 1"] * 201),
        "(" * 65 + "age > 1" + ")" * 65,
        "not " * 2_000 + "salary_flag",
        "age > 1 " + "or age > 1 " * 2_000,
        "age in (" + ",".join(["1"] * 501) + ")",
    ):
        with pytest.raises(RuleError):
            parse_sql(text, BUILT_IN)


def test_stages_put_related_segments_first() -> None:
    texts = {
        "core": "aum > 1",
        "supplier": "related('supplies', 'core')",
        "big-supplier": "in_segment('supplier') and aum > 5",
        "of-suppliers": "related('employs', 'big-supplier', 'in') or in_segment('core')",
    }
    rules = {key: parse_sql(text, BUILT_IN) for key, text in texts.items()}
    assert stages(rules) == [["core"], ["supplier", "big-supplier"], ["of-suppliers"]]
    compiler = Compiler(BUILT_IN, Moment(NOW, ZONE))
    compiler.add_rule("s0", rules["core"], segment="core")
    with pytest.raises(ValueError, match="same query"):
        compiler.add_rule("s1", rules["supplier"], segment="supplier")


def test_order_and_cycles() -> None:
    assert evaluation_order({"c": {"b"}, "b": {"a"}, "a": set()}) == ["a", "b", "c"]
    with pytest.raises(RuleError, match=r"circle: (a → b → a|b → a → b)"):
        evaluation_order({"a": {"b"}, "b": {"a"}})
    with pytest.raises(RuleError, match="circle"):
        check_references("a", {"a"}, {"a": set()}, "/definition")
    with pytest.raises(RuleError, match="no segment 'z'"):
        check_references("a", {"z"}, {}, "/definition")
