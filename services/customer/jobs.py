"""Background jobs of this service by name."""

from services.customer.usecases.imports import TASK, run_import

TASKS = {TASK: run_import}
