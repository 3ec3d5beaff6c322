"""Colours that charts share with static/theme.css, and how the style sheet reaches the page."""

import hashlib
from pathlib import Path

from nicegui import app, ui

INK = "#1d3a5c"
ACCENT = "#0d6a8a"
GOOD = "#1d7a5f"
WARN = "#c08a1e"
BAD = "#b23a2c"
HOLD_OUT = "#a9b4c0"
TEXT = "#1b2836"
MUTED = "#5e6c7d"
LINE = "#e2e7ed"
FONT = 'Inter, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", Arial, sans-serif'

_STATIC = Path(__file__).with_name("static")
FAVICON = _STATIC / "mark.svg"


def install() -> None:
    """Serve the style sheet and link it from every page; its address changes with its content."""
    app.add_static_files("/static", _STATIC, max_cache_age=31_536_000)
    digest = hashlib.sha256((_STATIC / "theme.css").read_bytes()).hexdigest()[:12]
    ui.add_head_html(f'<link rel="stylesheet" href="/static/theme.css?v={digest}">', shared=True)
    app.colors(primary=ACCENT, secondary=INK, positive=GOOD, negative=BAD, warning=WARN, info=INK)
