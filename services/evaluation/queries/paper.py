"""Documents on paper: PDF from HTML, without looking anything up elsewhere."""

import asyncio
import logging

from shared.errors import Unavailable

_PACKAGES = "libpango-1.0-0 libpangoft2-1.0-0"
# Laying out pages takes the processor for a second or two: one at a time leaves room for other requests.
logging.getLogger("weasyprint").setLevel(logging.ERROR)
_turn = asyncio.Semaphore(1)


async def printed(html: str) -> bytes:
    """The document as PDF, rendered in a thread. Unavailable when the system lacks what draws letters."""
    async with _turn:
        return await asyncio.to_thread(_print, html)


def _print(html: str) -> bytes:
    try:
        # It loads libraries of the system: whoever prints nothing does without them.
        from weasyprint import HTML
        from weasyprint.urls import URLFetcher
    except OSError as error:
        raise Unavailable(
            f"PDF needs libraries this machine lacks; on Debian install {_PACKAGES}. HTML works without.",
            slug="no-pdf",
        ) from error
    # No protocol is allowed: a report holds everything it shows.
    pdf: bytes = HTML(string=html, url_fetcher=URLFetcher(allowed_protocols=())).write_pdf()
    return pdf
