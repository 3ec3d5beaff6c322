"""What a process of this service holds: the vault and the compiled event types."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from services.customer.domain.vault import Vault
from services.customer.settings import CustomerSettings
from services.customer.usecases.event_kinds import EventKinds, register_built_in
from services.customer.usecases.quality_rules import register_default_rules
from shared.service import Runtime


@asynccontextmanager
async def open_resources(runtime: Runtime) -> AsyncIterator[Mapping[type, object]]:
    settings = CustomerSettings()
    settings.import_dir.mkdir(parents=True, exist_ok=True)
    vault = Vault(bytes.fromhex(settings.pii_key_file.read_text("ascii").strip()))
    await register_built_in(runtime.db)
    await register_default_rules(runtime.db)
    yield {Vault: vault, EventKinds: EventKinds(), CustomerSettings: settings}
