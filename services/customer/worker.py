"""`python -m services.customer.worker`: outbox relay, consumers, jobs."""

from services.customer.app import service
from shared.worker import run_worker

if __name__ == "__main__":
    run_worker(service)
