"""The campaign service's worker: relay, consumers, launches and the clock."""

from services.campaign.app import service
from shared.worker import run_worker

if __name__ == "__main__":
    run_worker(service)
