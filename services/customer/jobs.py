"""Background work of this service."""

from services.customer.usecases.consent_words import follow_ends
from services.customer.usecases.duplicates import TASK as DUPLICATES
from services.customer.usecases.duplicates import find_duplicates
from services.customer.usecases.erasures import sweep_late_facts
from services.customer.usecases.handover import TASK as HANDOVER
from services.customer.usecases.handover_runs import run_handover, watch_handovers
from services.customer.usecases.imports import TASK, run_import
from services.customer.usecases.match_keys import fill_match_keys
from services.customer.usecases.pushed import take_from_partners
from services.customer.usecases.quality import run_quality, watch_quality
from services.customer.usecases.quality_rules import TASK as QUALITY
from services.customer.usecases.quarantine import sweep_quarantine
from services.customer.usecases.replaying import TASK as REPLAY
from services.customer.usecases.replaying import replay_many
from services.customer.usecases.sealing import seal_old_events
from services.customer.usecases.subject_exports import TASK as SUBJECT_EXPORT
from services.customer.usecases.subject_exports import make_export, sweep_exports
from services.customer.usecases.uploads import sweep_uploads
from services.customer.usecases.value_models import TASK as VALUE
from services.customer.usecases.value_runs import run_value, schedule_value_runs

TASKS = {
    TASK: run_import,
    DUPLICATES: find_duplicates,
    HANDOVER: run_handover,
    REPLAY: replay_many,
    SUBJECT_EXPORT: make_export,
    VALUE: run_value,
    QUALITY: run_quality,
}
BACKGROUND = [
    sweep_uploads,
    follow_ends,
    sweep_exports,
    sweep_late_facts,
    seal_old_events,
    sweep_quarantine,
    take_from_partners,
    fill_match_keys,
    schedule_value_runs,
    watch_handovers,
    watch_quality,
]
