"""SIGKILL of the whole installation in the middle of the demonstration; the same command goes on."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deploy.embedded.ports import free_port
from tests.e2e.books import read_stores

HUANYING = Path(sys.executable).with_name("huanying")


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.xdist_group("kills")
def test_the_demonstration_goes_on_after_kill_9(tmp_path: Path) -> None:
    command = [HUANYING, "demo", "--customers", "1000", "--data-dir", tmp_path, "--port", str(free_port())]
    for moment in (random.Random(1).uniform(15, 20), random.Random(2).uniform(15, 25)):
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=os.environ
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Recommendation" in done.stdout
    stores = read_stores(tmp_path)
    assert stores.feature_customers == 1_000
    assert stores.exposures > 0
    assert stores.exposures_twice == 0
