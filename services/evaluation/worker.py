"""`python -m services.evaluation.worker`: relay, consumers, jobs, feeds."""

from services.evaluation.app import service
from shared.worker import run_worker

if __name__ == "__main__":
    run_worker(service)
