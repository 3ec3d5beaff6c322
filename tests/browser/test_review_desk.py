"""The review of a campaign in a real browser, below its result."""

import pytest

from tests.browser.conftest import Watched

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demonstration")]


def test_a_review_shows_versions_and_what_came_of_contacts(watched: Watched) -> None:
    watched.sign_in("Strategist")
    page = watched.page
    launched = page.locator("table.t td a").first
    launched.wait_for()
    address = launched.get_attribute("href")
    assert address is not None
    watched.open(address)
    versions = page.locator("section[aria-label='话术版本'] table.t tbody tr")
    versions.first.wait_for()
    assert "%" in versions.first.inner_text()
    for name in ("转介结果", "商机进展", "客户经理反馈"):
        assert page.locator(f"section[aria-label='{name}']").is_visible(), name
    assert "未与对照组比较" in page.locator("section[aria-label='客户经理反馈']").inner_text()
    assert page.locator(".state[role=alert]").count() == 0
    assert watched.errors == []
