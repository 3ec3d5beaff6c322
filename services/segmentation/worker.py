"""`python -m services.segmentation.worker`: relay, feed, evaluation and jobs."""

from services.segmentation.app import service
from shared.worker import run_worker

if __name__ == "__main__":
    run_worker(service)
