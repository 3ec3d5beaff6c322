"""Configuration of the customer service."""

from pathlib import Path

from shared.settings import Settings


class CustomerSettings(Settings):
    """`HUANYING_PII_KEY_FILE` holds the bank's master key, 32 bytes in hex: it opens every customer."""

    pii_key_file: Path = Path("pii.key")
    max_import_bytes: int = 8 * 1024**3
    """Largest file `POST /v1/imports` takes, unpacked."""
    import_keep_days: int = 7
    """How long the sealed file of a failed or cancelled import waits to be resumed."""

    subject_export_days: int = 7
    """How long the copy of everything held about a person waits to be fetched."""

    @property
    def import_dir(self) -> Path:
        """Where uploads wait for their job; shared by API and worker."""
        return self.data_dir / "imports"
