"""Background work of this service."""

from services.customer.usecases.consent_words import follow_ends
from services.customer.usecases.duplicates import TASK as DUPLICATES
from services.customer.usecases.duplicates import find_duplicates
from services.customer.usecases.imports import TASK, run_import
from services.customer.usecases.match_keys import fill_match_keys
from services.customer.usecases.quarantine import sweep_quarantine
from services.customer.usecases.replaying import TASK as REPLAY
from services.customer.usecases.replaying import replay_many
from services.customer.usecases.sealing import seal_old_events
from services.customer.usecases.uploads import sweep_uploads
from services.customer.usecases.value_models import TASK as VALUE
from services.customer.usecases.value_runs import run_value, schedule_value_runs

TASKS = {TASK: run_import, DUPLICATES: find_duplicates, REPLAY: replay_many, VALUE: run_value}
BACKGROUND = [
    sweep_uploads,
    follow_ends,
    seal_old_events,
    sweep_quarantine,
    fill_match_keys,
    schedule_value_runs,
]
