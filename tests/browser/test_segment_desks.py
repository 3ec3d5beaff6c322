"""Segments side by side, and one with its history, impact and snapshots, in a real browser."""

from typing import Any

import httpx
import pytest

from tests.browser.conftest import Watched

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demonstration")]

TABS = ("趋势", "版本", "进出记录", "影响", "快照")

# A busy browser: what was put off until "at once" comes a second later.
BUSY = """const later = window.setTimeout;
window.setTimeout = (task, wait, ...given) => later(task, wait || 1000, ...given);"""
_NARROWER = "([canvas, wide]) => canvas.clientWidth > 0 && canvas.clientWidth < wide.width"


def live(segmentation: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = segmentation.get("/segments", params={"state": "live"}).json()["items"]
    return sorted(found, key=lambda segment: -(segment["size"] or 0))


def test_a_segment_shows_how_it_came_to_be(watched: Watched, segmentation: httpx.Client) -> None:
    watched.sign_in("Admin")
    page = watched.page
    rule = next(each for each in live(segmentation) if each["kind"] == "rule")
    watched.open(f"/segments/{rule['key']}")
    for tab in TABS:
        watched.turn_to(tab)
        assert page.locator(".state[role=alert]").count() == 0, tab
    page.get_by_role("button", name="冻结成员").click()
    page.get_by_role("textbox", name="用途").fill("desk test")
    page.locator(".q-dialog").get_by_role("button", name="冻结成员").click()
    page.wait_for_selector(".q-notification")
    kept = segmentation.get("/snapshots", params={"segment": rule["key"]}).json()["items"]
    assert kept[0]["purpose"] == "desk test"
    assert watched.errors == []
    assert watched.outside == []


def test_leaving_a_chart_at_once_breaks_nothing(watched: Watched, segmentation: httpx.Client) -> None:
    watched.sign_in("Admin")
    page = watched.page
    page.add_init_script(BUSY)
    rule = next(each for each in live(segmentation) if each["kind"] == "rule")
    watched.open(f"/segments/{rule['key']}")
    page.locator(".chart").first.wait_for(state="attached")
    for tab in ("版本", "趋势"):
        watched.turn_to(tab)
    canvas = page.locator(".chart canvas").first
    watched.drawn(canvas)
    wide = canvas.bounding_box()
    page.set_viewport_size({"width": 900, "height": 940})
    page.wait_for_function(_NARROWER, arg=[canvas.element_handle(), wide])
    assert watched.errors == []


def test_the_intersection_of_two_segments_is_kept(watched: Watched, segmentation: httpx.Client) -> None:
    watched.sign_in("Admin")
    page = watched.page
    watched.open("/segment-overlap")
    canvas = page.locator(".chart canvas").first
    watched.drawn(canvas)
    first, second = live(segmentation)[:2]
    found = segmentation.post("/segments:overlap", json={"segments": [first["key"], second["key"]]}).json()
    box = canvas.bounding_box()
    assert box is not None
    # The last square of the first row, just left of the right edge and below the top.
    page.mouse.click(box["x"] + box["width"] - 30, box["y"] + 30)
    dialog = page.locator(".q-dialog")
    dialog.wait_for()
    dialog.get_by_role("textbox", name="标识").fill("desk-intersection")
    dialog.get_by_role("button", name="保存为客群").click()
    page.wait_for_url("**/segments/desk-intersection")
    saved = segmentation.get("/segments/desk-intersection").json()
    assert saved["state"] == "draft"
    assert saved["definition"]["sql"].count("in_segment(") == 2
    assert found["counts"][0][1] <= min(found["counts"][0][0], found["counts"][1][1])
    assert watched.errors == []
