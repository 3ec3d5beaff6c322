"""A linear programme solved by PDLP, in an environment of its own: nothing else here needs ortools, which
holds back packages that the services use.

python -m benchmarks.pdlp PROBLEM.npz   (inside that environment; prints optimum and seconds as JSON)
"""

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

_NEEDS = ("ortools>=9.15", "scipy", "numpy")
_ACCURACY = 1e-3


@dataclass(frozen=True)
class Programme:
    """cost @ x is to be least with low <= matrix @ x <= high and 0 <= x <= 1."""

    cost: NDArray[np.float64]
    matrix: csc_array
    low: NDArray[np.float64]
    high: NDArray[np.float64]


@dataclass(frozen=True)
class Solved:
    """Of the dual: no solution is less."""

    bound: float
    seconds: float


def by_pdlp(programme: Programme) -> Solved:
    """RuntimeError with what it said if PDLP cannot be had or finds no optimum."""
    with tempfile.TemporaryDirectory(prefix="huanying-pdlp-") as directory:
        file = Path(directory) / "programme.npz"
        matrix = programme.matrix
        np.savez(
            file,
            cost=programme.cost,
            low=programme.low,
            high=programme.high,
            data=matrix.data,
            indices=matrix.indices,
            indptr=matrix.indptr,
        )
        needs = [part for name in _NEEDS for part in ("--with", name)]
        command = [sys.executable, "-m", "uv", "run", "--quiet", "--no-project", "--python", sys.executable]
        done = subprocess.run(
            [*command, *needs, "python", str(Path(__file__)), str(file)],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return Solved(**json.loads(done.stdout.splitlines()[-1]))


def _solve(file: Path) -> dict[str, float]:
    from ortools.pdlp import solve_log_pb2, solvers_pb2
    from ortools.pdlp.python import pdlp

    found = np.load(file)
    programme: Any = pdlp.QuadraticProgram()
    shape = (found["low"].size, found["cost"].size)
    programme.objective_vector = found["cost"]
    programme.constraint_matrix = csc_array((found["data"], found["indices"], found["indptr"]), shape)
    programme.constraint_lower_bounds, programme.constraint_upper_bounds = found["low"], found["high"]
    programme.variable_lower_bounds = np.zeros(shape[1])
    programme.variable_upper_bounds = np.ones(shape[1])
    how: Any = solvers_pb2.PrimalDualHybridGradientParams()
    criteria = how.termination_criteria.simple_optimality_criteria
    criteria.eps_optimal_relative = criteria.eps_optimal_absolute = _ACCURACY
    began = time.perf_counter()
    result = pdlp.primal_dual_hybrid_gradient(programme, how)
    seconds = time.perf_counter() - began
    log = result.solve_log
    if log.termination_reason != solve_log_pb2.TERMINATION_REASON_OPTIMAL:
        raise RuntimeError(f"PDLP ended for reason {log.termination_reason}")
    (bound,) = [
        each.corrected_dual_objective
        for each in log.solution_stats.convergence_information
        if each.candidate_type == log.solution_type
    ]
    return {"bound": float(bound), "seconds": seconds}


if __name__ == "__main__":
    print(json.dumps(_solve(Path(sys.argv[1]))))
