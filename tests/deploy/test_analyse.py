"""`huanying analyse`: with a file and nothing else."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner, Result

from deploy.cli import app
from shared.contracts.evaluation.analyse import Analysis


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Two arms of 120: `call` brings 30 more."""
    lines = ["customer,arm,inflow,visits,converted,inflow_before,tier,branch\n"]
    for number in range(240):
        arm, noise = ("none", "call")[number % 2], number * 37 % 101
        inflow = 500 + 3 * noise + number % 7 + 30 * (arm == "call")
        lines.append(
            f"C{number},{arm},{inflow},{1 + number % 5},{int(noise > 60)},{3 * noise},{'gold' if number % 3 else 'base'},b{number % 24}\n"
        )
    (tmp_path / "table.csv").write_text("".join(lines))
    return tmp_path / "table.csv"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["analyse", *map(str, arguments)])


BASIC = ("--arm", "arm", "--control", "none", "--metric", "inflow")


def test_the_guide_s_commands_answer(repository: Path, table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guide = (repository / "docs/analyse.md").read_text("utf-8")
    commands = re.findall(r"^huanying analyse ((?:.*\\\n)*.*)$", guide, re.MULTILINE)
    assert len(commands) == 3
    monkeypatch.chdir(table.parent)
    for command in commands:
        answer = run(*shlex.split(command.replace("\\\n", " ")))
        assert answer.exit_code == 0, answer.output
        assert answer.stderr == ""


def test_json_is_the_contract(table: Path) -> None:
    answer = run(table, *BASIC, "--covariate", "inflow_before", "--dimension", "tier", "--json")
    found = Analysis.model_validate(orjson.loads(answer.stdout))
    row = found.metrics[0]
    assert (row.n, row.n_control, row.arm, row.control) == (120, 120, "call", "none")
    assert row.cuped is not None
    assert row.cuped.difference == pytest.approx(30, abs=0.2)
    assert row.cuped.p_value is not None
    assert row.cuped.p_value < 1e-30
    assert found.dimensions[0].df == 1


def test_people_are_told_in_words(table: Path) -> None:
    answer = run(
        table, *BASIC, "--metric", "converted", "--covariate", "inflow_before", "--dimension", "tier"
    )
    assert "inflow (mean, welch)" in answer.stdout
    assert "converted (proportion, newcombe)" in answer.stdout
    assert "With covariates 30" in answer.stdout
    assert "Sample ratio (rows): as declared" in answer.stdout
    assert "Nothing says that cells differ" in answer.stdout
    alarmed = run(table, *BASIC, "--split", "none=1", "--split", "call=9")
    assert alarmed.stdout.startswith("Sample ratio (rows): MISMATCH")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--arm", "group", "--control", "a", "--metric", "y"), "There is no column 'group'"),
        (("--arm", "arm", "--control", "nobody", "--metric", "inflow"), "'call' (120), 'none' (120)"),
        ((*BASIC, "--metric", "tier"), "not numbers"),
        ((*BASIC, "--split", "none"), "say it as ARM=WEIGHT"),
        ((*BASIC, "--split", "none=1"), "two arms need a weight"),
        ((*BASIC, "--alpha", "2"), "--alpha"),
        ((*BASIC, "--combine", "median"), "--combine"),
        ((*BASIC, "--memory", "plenty"), "--memory"),
    ],
)
def test_what_is_wrong_stands_on_standard_error(table: Path, arguments: tuple[str, ...], said: str) -> None:
    answer = run(table, *arguments)
    assert answer.exit_code == 2
    assert said in answer.stderr
    assert answer.stdout == ""


def test_it_needs_nothing_that_runs(table: Path) -> None:
    program = [sys.executable, "-m", "deploy.cli", "analyse", "table.csv", *BASIC, "--json"]
    root = Path(__file__).parents[2]
    answer = subprocess.run(
        program,
        cwd=table.parent,
        env={"PYTHONPATH": str(root)},
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert answer.returncode == 0, answer.stderr
    assert orjson.loads(answer.stdout)["rows"] == 240
    assert [file.name for file in table.parent.iterdir()] == ["table.csv"]
