"""`analyse` on tables as people have them: a right answer with a warning, or a problem that says what is wrong."""

import contextlib
import gzip
import io
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from services.evaluation.queries.analysis import analyse
from services.evaluation.store.tables import Bounds
from shared.contracts.evaluation.analyse import AnalyseOptions, Analysis
from shared.errors import ProblemError, TooLarge, Unprocessable

PLAIN = [("a", 1.0), ("a", 2.0), ("a", 4.0), ("b", 2.0), ("b", 5.0), ("b", 9.0)]
BODY = "".join(f"{arm},{value}\n" for arm, value in PLAIN)


def csv(folder: Path, content: str | bytes, bounds: Bounds | None = None, **options: object) -> Analysis:
    file = folder / "table [1]*.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    asked = {"arm": "arm", "control": "a", "metrics": ["y"], **options}
    return analyse(file, AnalyseOptions.model_validate(asked), bounds)


def parquet(folder: Path, table: dict[str, object], **options: object) -> Analysis:
    pq.write_table(pa.table(table), folder / "t.parquet")
    asked = {"arm": "arm", "control": "a", "metrics": ["y"], **options}
    return analyse(folder / "t.parquet", AnalyseOptions.model_validate(asked))


def problem(folder: Path, content: str | bytes, **options: object) -> str:
    with pytest.raises(ProblemError) as caught:
        csv(folder, content, **options)
    return caught.value.detail


def difference(answer: Analysis) -> float | None:
    return answer.metrics[0].difference


def warned(answer: Analysis, *words: str) -> bool:
    return any(all(word in warning for word in words) for warning in answer.warnings)


CHINESE = {"arm": "组别", "metrics": ["金额(元)"], "control": "对照"}
CHINESE_ROWS = "".join(f"{'对照' if arm == 'a' else '实验'},{value}\n" for arm, value in PLAIN)


@pytest.mark.parametrize(
    "content",
    [
        f"arm,y\n{BODY}",
        f"\ufeffarm,y\n{BODY}",
        f'"arm","y"\r\n{BODY}'.replace("\n", "\r\n"),
        f" arm , y \n{BODY}".replace("a,", " a , "),
        f"arm;y\n{BODY.replace(',', ';')}",
        f"arm\ty\n{BODY.replace(',', chr(9))}",
        f"arm|y\n{BODY.replace(',', '|')}",
        f"id,arm,y,id\n{''.join(f'7,{line},8' + chr(10) for line in BODY.split())}",
        gzip.compress(f"arm,y\n{BODY}".encode()),
        f"arm,y\n{BODY}".encode("utf-16"),
        f"arm,y,remark\n{''.join(f'{line},caf' + chr(0xE9) + chr(10) for line in BODY.split())}".encode(
            "latin-1"
        ),
    ],
    ids=[
        "plain",
        "mark",
        "quoted",
        "spaces",
        "semicolon",
        "tab",
        "stroke",
        "doubled",
        "gzip",
        "utf16",
        "latin",
    ],
)
def test_dialects_are_found_out(tmp_path: Path, content: str | bytes) -> None:
    answer = csv(tmp_path, content)
    assert difference(answer) == pytest.approx(3.0)
    assert answer.arms == {"a": 3, "b": 3}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030"])
def test_chinese_columns_in_the_encodings_of_chinese_banks(tmp_path: Path, encoding: str) -> None:
    answer = csv(tmp_path, f"组别,金额(元)\n{CHINESE_ROWS}".encode(encoding), **CHINESE)
    assert difference(answer) == pytest.approx(3.0)
    assert answer.metrics[0].metric == "金额(元)"
    assert warned(answer, "gb18030") == (encoding.startswith("gb"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "empty"),
        ("\n\n", "first line"),
        ("arm,y\n", "no rows"),
        ("arm,y", "no rows"),
        (b"PK\x03\x04 and so on", "save the sheet as CSV"),
        (b"PAR1 and so on", "not valid Parquet"),
        (b"ARROW1 and so on", "not valid Arrow"),
        (b"\x1f\x8b and so on", "unpacked"),
        (f"arm,y\n{BODY}b,2,3\n", "Line: 8"),
        (f'arm,y\n"a,1\n{BODY}', "unterminated quote"),
        (f"arm,z\n{BODY}", "The columns are: arm, z"),
        (f"arm,Y\n{BODY}", "no column 'y'"),
        (f"arm,yy\n{BODY}", "Did you mean 'yy'"),
        (f"arm,y,y\n{''.join(f'{line},1' + chr(10) for line in BODY.split())}", "2 columns named 'y'"),
        (f"arm,y\n{BODY}b,dear\nb,cheap\n", "2 values that are not numbers, for example 'cheap'"),
        (f'arm,y\n{BODY}b,"1,234.5"\n', "without signs for thousands"),
        (f"arm,y\n{BODY}b,2026-11-22\n", "'2026-11-22'"),
        (f"arm,y\n{BODY}b,1e200\n", "no measurement is that large"),
        ("arm,y\na,1\na,2\n", "'a' (2)"),
        ("arm,y\nb,1\nc,2\n", "'b' (1), 'c' (1)"),
        ("arm,y\n,1\n,2\n", "no row that can be used"),
        ("arm,y\n" + "".join(f"{number},1\n" for number in range(60)), "more than 50 different values"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(tmp_path: Path, content: str | bytes, said: str) -> None:
    assert said in problem(tmp_path, content)


def test_damaged_files_are_a_problem_or_an_answer(tmp_path: Path) -> None:
    table = pa.table({"arm": ["a", "b"] * 20, "y": np.arange(40.0)})
    contents = [f"arm,y\n{BODY}".encode()]
    for write in (pa.ipc.new_file, pa.ipc.new_stream):
        sink = io.BytesIO()
        with write(sink, table.schema) as writer:
            writer.write_table(table)
        contents.append(sink.getvalue())
    pq.write_table(table, tmp_path / "t.parquet")
    contents.append((tmp_path / "t.parquet").read_bytes())
    rng = random.Random(5)
    for _ in range(15):
        content = bytearray(rng.choice(contents))
        for _ in range(rng.randint(1, 3)):
            content[rng.randrange(len(content))] = rng.randrange(256)
        with contextlib.suppress(ProblemError):
            csv(tmp_path, bytes(content))


def test_columns_that_exclude_each_other(tmp_path: Path) -> None:
    content = f"arm,y\n{BODY}"
    assert "metric and a covariate" in problem(tmp_path, content, covariates=["y"])
    assert "nothing else besides" in problem(tmp_path, content, metrics=["arm"])
    assert "only plain columns" in problem(tmp_path, content, metrics=["y:p50"], cluster="y")
    with pytest.raises(Unprocessable, match="No such file"):
        analyse(tmp_path / "no", AnalyseOptions(arm="arm", control="a", metrics=["y"]))
    with pytest.raises(TooLarge):
        csv(tmp_path, content, Bounds(most_bytes=10))


@pytest.mark.parametrize(
    ("labels", "control", "found"),
    [
        (("0", "1"), "0", "0"),
        (("0.0", "1.0"), "0", "0.0"),
        (("false", "true"), "0", "false"),
        (("FALSE", "TRUE"), "False", "FALSE"),
        (("Control", "New"), "control", "Control"),
        (("2026-01-01", "2026-02-01"), "2026-01-01", "2026-01-01"),
        (("None", "Mail"), "None", "None"),
        (("=1+1", "[b]bold"), "=1+1", "=1+1"),
    ],
)
def test_the_control_is_found_as_people_name_it(
    tmp_path: Path, labels: tuple[str, str], control: str, found: str
) -> None:
    content = "arm,y\n" + "".join(f"{labels[arm == 'b']},{value}\n" for arm, value in PLAIN)
    answer = csv(tmp_path, content, control=control)
    assert answer.control == found
    assert difference(answer) == pytest.approx(3.0)
    assert warned(answer, "label, not for a missing value") == (control == "None")


@pytest.mark.parametrize(
    "arm",
    [np.array([0, 1]), np.array([0.0, 1.0]), np.array([False, True])],
    ids=["whole", "float", "boolean"],
)
def test_typed_arms(tmp_path: Path, arm: np.ndarray) -> None:
    column = [arm[int(name == "b")].item() for name, _ in PLAIN]
    answer = parquet(
        tmp_path, {"arm": [*column, None], "y": [*(value for _, value in PLAIN), 1e6]}, control="0"
    )
    assert difference(answer) == pytest.approx(3.0)
    assert warned(answer, "1 of 7 rows", "arm column")


def test_arms_that_differ_by_case_only(tmp_path: Path) -> None:
    content = "arm,y\nControl,1\nControl,2\ncontrol,3\ncontrol,5\n"
    assert "more than one of the arms" in problem(tmp_path, content, control="CONTROL")
    assert warned(csv(tmp_path, content, control="control"), "upper and lower case")


def test_words_for_truth_and_for_nothing(tmp_path: Path) -> None:
    content = "arm,y\n" + "".join(
        f"{arm},{value}\n"
        for arm, value in [*[("a", "no"), ("a", "YES"), ("b", "是"), ("b", "true"), ("a", "f"), ("b", "0")], ("b", "NULL"), ("a", "#N/A"), ("a", "")]
    )  # fmt: skip
    row = csv(tmp_path, content).metrics[0]
    assert (row.kind, row.n, row.n_control, row.missing, row.missing_control) == ("proportion", 3, 3, 1, 2)
    assert (row.mean, row.mean_control) == (pytest.approx(2 / 3), pytest.approx(1 / 3))


def test_nan_and_infinity_count_as_missing(tmp_path: Path) -> None:
    values = [value for _, value in PLAIN]
    answer = parquet(
        tmp_path,
        {
            "arm": [*(arm for arm, _ in PLAIN), "a", "b", "b"],
            "y": [*values, float("nan"), float("inf"), None],
        },
    )
    assert difference(answer) == pytest.approx(3.0)
    assert warned(answer, "'y'", "2 values are NaN or infinite")
    assert warned(answer, "'y' is missing: 1 in 'a', 2 in 'b'")
    assert (answer.metrics[0].missing, answer.metrics[0].missing_control) == (2, 1)


def test_missing_more_often_in_one_arm_is_told(tmp_path: Path) -> None:
    rows = [("a", "1"), ("a", "2"), ("b", "1"), ("b", "3")] * 25
    even = "".join(f"{arm},{value}\n" for arm, value in rows)
    uneven = even + "b,\n" * 20
    assert not warned(csv(tmp_path, f"arm,y\n{even}"), "more often")
    assert warned(csv(tmp_path, f"arm,y\n{uneven}"), "'y'", "more often in one arm")


def test_rows_of_one_unit_become_one_value(tmp_path: Path) -> None:
    rows = [f"u{number},{arm},{value}\n" for number, (arm, value) in enumerate(PLAIN)]
    once = csv(tmp_path, "id,arm,y\n" + "".join(rows), unit="id")
    twice = csv(tmp_path, "id,arm,y\n" + "".join(rows * 2), unit="id")
    mine, theirs = once.metrics[0], twice.metrics[0]
    assert (theirs.n, theirs.n_control) == (mine.n, mine.n_control)
    for name in ("difference", "se", "ci", "p_value"):
        assert getattr(theirs, name) == pytest.approx(getattr(mine, name), rel=1e-12)
    assert (twice.rows, twice.analysed) == (12, 6)
    assert warned(twice, "6 units have several rows", "averaged")
    summed = csv(tmp_path, "id,arm,y\n" + "".join(rows * 2), unit="id", combine="sum")
    assert difference(summed) == pytest.approx(6.0)


def test_units_in_two_arms_or_without_a_name_are_left_out(tmp_path: Path) -> None:
    rows = [f"u{number},{arm},{value}\n" for number, (arm, value) in enumerate(PLAIN)]
    answer = csv(tmp_path, "id,arm,y\n" + "".join(rows) + "x,a,1000\nx,b,1000\n,b,1000\n", unit="id")
    assert difference(answer) == pytest.approx(3.0)
    assert warned(answer, "1 units are in more than one arm", "cross-over")
    assert warned(answer, "1 of 9 rows", "unit column")
    assert answer.srm.counted == "units"


def test_nothing_varies(tmp_path: Path) -> None:
    answer = csv(tmp_path, "arm,y,z\n" + "a,5,0\nb,5,0\n" * 10, metrics=["y", "z"])
    constant, nobody = answer.metrics
    assert (constant.difference, constant.se, constant.ci, constant.p_value) == (0.0, None, None, None)
    assert constant.always_valid is None
    assert warned(answer, "'y'", "no test", "same for everybody")
    # Of nobody in twenty there is still an interval, though no test.
    assert nobody.ci is not None
    assert nobody.ci[0] < 0 < nobody.ci[1]
    assert (nobody.difference, nobody.se, nobody.p_value) == (0.0, None, None)
    assert warned(answer, "'z'", "no p-value")


def test_tiny_arms(tmp_path: Path) -> None:
    answer = csv(tmp_path, "arm,y\na,1\na,2\na,4\nb,7\n")
    row = answer.metrics[0]
    assert (row.n, row.n_control, row.mean) == (1, 3, 7.0)
    assert (row.difference, row.se, row.ci, row.p_value, row.relative) == (None,) * 5
    assert warned(answer, "'y'", "1 against 3")
    assert warned(answer, "'b'", "1 rows only")


def test_a_column_without_values(tmp_path: Path) -> None:
    answer = csv(
        tmp_path, f"arm,y,z\n{''.join(f'{line},' + chr(10) for line in BODY.split())}", metrics=["y", "z"]
    )
    assert answer.metrics[0].p_value is not None
    assert (answer.metrics[1].n, answer.metrics[1].mean, answer.metrics[1].p_value) == (0, None, None)
    assert warned(answer, "'z'", "0 against 0")


def test_an_outlier_is_computed_right_and_pointed_at(tmp_path: Path) -> None:
    rng = np.random.default_rng(21)
    values = np.round(rng.normal(100, 10, 80), 3)
    values[-1] = 1e9
    arm = np.repeat(["a", "b"], 40)
    answer = csv(
        tmp_path, "arm,y\n" + "".join(f"{name},{value}\n" for name, value in zip(arm, values, strict=True))
    )
    row = answer.metrics[0]
    assert row.difference == pytest.approx(values[40:].mean() - values[:40].mean(), rel=1e-12)
    assert row.se == pytest.approx(
        np.sqrt(values[40:].var(ddof=1) / 40 + values[:40].var(ddof=1) / 40), rel=1e-12
    )
    assert warned(answer, "'b'", "one row carries", "winsorise")
    assert not warned(answer, "arm 'a'", "carries")
    capped = csv(tmp_path, (tmp_path / "table [1]*.csv").read_bytes(), winsorise=0.95)
    assert capped.metrics[0].se is not None
    assert capped.metrics[0].se < 5


def test_clusters_that_cannot_be_judged(tmp_path: Path) -> None:
    rows = [(arm, f"{arm}{number % 2}", number * 7 % 13) for number in range(40) for arm in "ab"]
    text = "arm,branch,y\n" + "".join(f"{arm},{branch},{y}\n" for arm, branch, y in rows)
    few = csv(tmp_path, text, cluster="branch")
    assert few.metrics[0].p_value is None
    assert warned(few, "no test", "degrees of freedom")
    shared = csv(tmp_path, text.replace("b0", "a0"), cluster="branch")
    assert warned(shared, "1 clusters have rows in several arms")
    assert shared.srm.counted == "rows"
    one = csv(tmp_path, text.replace("b0", "b1"), cluster="branch")
    assert warned(one, "no test", "1 clusters against 2")
    missing = csv(tmp_path, text + "b,,5\n", cluster="branch")
    assert warned(missing, "1 of 81 rows", "cluster column")


def test_dimensions_that_cannot_be_looked_through(tmp_path: Path) -> None:
    rng = np.random.default_rng(22)
    lines = ["arm,y,id,tier,half\n"]
    for number in range(600):
        tier = "rare" if number < 4 else ("gold", "silver", "")[number % 3]
        lines.append(
            f"{'ab'[number % 2]},{rng.normal():.6f},{number},{tier},{'north' if number % 2 else 'south'}\n"
        )
    answer = csv(tmp_path, "".join(lines), dimensions=["id", "tier", "half"])
    assert [one.dimension for one in answer.dimensions] == ["tier", "half"]
    tier, half = answer.dimensions
    assert (tier.df, [cell.value for cell in tier.cells]) == (1, ["gold", "rare", "silver"])
    rare = tier.cells[1]
    assert (rare.n, rare.n_control, rare.shrunk, rare.ci) == (2, 2, None, None)
    assert rare.raw is not None
    assert warned(answer, "'id'", "more than 200 values", "left out")
    assert warned(answer, "'tier'", "'rare'", "not part of Q")
    assert warned(answer, "rows have no 'tier'")
    # Each half holds one arm only.
    assert (half.q, half.p_value, half.q_value) == (None, None, None)
    assert warned(answer, "'half'", "no Q")
    assert tier.q_value == tier.p_value


def test_covariates_that_explain_nothing(tmp_path: Path) -> None:
    text = f"arm,y,x,z\n{''.join(f'{line},1,' + chr(10) for line in BODY.split())}"
    answer = csv(tmp_path, text, covariates=["x", "z"])
    assert answer.metrics[0].p_value is not None
    assert answer.metrics[0].cuped is None
    assert warned(answer, "'x'", "explains nothing")
    assert warned(answer, "'z'", "explains nothing")
