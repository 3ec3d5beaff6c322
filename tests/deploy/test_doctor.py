import socket
from pathlib import Path

import pytest

from deploy.doctor import Finding, Patient, examine
from deploy.embedded.keyring import Keyring
from deploy.embedded.lock import DirectoryLock
from deploy.embedded.ports import free_port
from deploy.embedded.stack import stack_lock
from deploy.embedded.state import StackState


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    return Patient(tmp_path / "data", "127.0.0.1", free_port())


def findings(patient: Patient, words: str) -> list[Finding]:
    return [finding for finding in examine(patient) if words in finding.what]


def test_a_fresh_machine_is_well(patient: Patient) -> None:
    assert {finding.state for finding in examine(patient)} == {"ok", "warn"}
    assert [finding.remedy for finding in findings(patient, "no stack")] == ["start it: huanying up"]


def test_busy_port(patient: Patient) -> None:
    with socket.socket() as busy:
        busy.bind((patient.host, patient.port))
        busy.listen()
        (finding,) = findings(patient, f"port {patient.port}")
    assert finding.state == "fail"
    assert "is already used by" in finding.remedy


def test_interrupted_initialisation(patient: Patient) -> None:
    (patient.data_dir / "pg.tmp").mkdir(parents=True)
    (finding,) = findings(patient, "was interrupted")
    assert finding.state == "warn"


def test_foreign_and_old_clusters(patient: Patient) -> None:
    cluster = patient.data_dir / "pg"
    cluster.mkdir(parents=True)
    (cluster / "letter.txt").touch()
    assert findings(patient, "is no PostgreSQL cluster")[0].state == "fail"
    (cluster / "PG_VERSION").write_text("16\n")
    assert findings(patient, "belongs to PostgreSQL 16")[0].state == "fail"


def test_locks(patient: Patient) -> None:
    patient.data_dir.mkdir()
    with DirectoryLock(patient.data_dir / "pg.lock", "it"):
        (finding,) = findings(patient, "pg.lock is held")
    assert finding.state == "fail"
    with stack_lock(patient.data_dir):
        assert findings(patient, "is starting or stopping")[0].state == "warn"
    (patient.data_dir / "stack.lock").write_text("4194304\n")
    assert findings(patient, "stale lock of process 4194304, which is gone")[0].state == "ok"


def test_a_stack_that_was_killed(patient: Patient) -> None:
    patient.data_dir.mkdir()
    StackState.of("http://127.0.0.1:1", {}, "nats://127.0.0.1:2", {}).write(patient.data_dir)
    (finding,) = findings(patient, "did not stop properly")
    assert finding.remedy == "huanying up recovers by itself"


def test_open_secrets(patient: Patient) -> None:
    keyring = Keyring(patient.data_dir / "secrets")
    keyring.ensure()
    keyring.pii_key.chmod(0o644)
    (finding,) = findings(patient, "can be read by others")
    assert finding.remedy == f"chmod go-rwx {keyring.pii_key}"


def test_shifted_clock(patient: Patient) -> None:
    patient.data_dir.mkdir()
    (patient.data_dir / "clock").write_text("86400")
    (finding,) = findings(patient, "shifted by 1 day")
    assert finding.remedy == "huanying clock reset"


def test_an_unreadable_file_does_not_end_the_examination(patient: Patient) -> None:
    keyring = Keyring(patient.data_dir / "secrets")
    keyring.ensure()
    keyring.api_keys.write_text("{nonsense")
    (patient.data_dir / "clock").write_text("soon")
    failed = [finding.what for finding in examine(patient) if finding.state == "fail"]
    assert [what.split(":")[0] for what in failed] == ["secrets", "clock"]
