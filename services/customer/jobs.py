"""Background work of this service."""

from services.customer.usecases.imports import TASK, run_import
from services.customer.usecases.match_keys import fill_match_keys
from services.customer.usecases.uploads import sweep_uploads

TASKS = {TASK: run_import}
BACKGROUND = [sweep_uploads, fill_match_keys]
