"""A report as PDF, made when somebody asks for it."""

from nicegui import ui

from services.console.view import View


def report_button(view: View, path: str, name: str) -> None:
    """`path` of the report in the evaluation service; `name` of the file."""

    async def fetch() -> None:
        button.props("loading")
        asked = {"format": "pdf", "lang": view.t.language}
        content = await view.attempt(view.api.document("evaluation", path, asked))
        button.props(remove="loading")
        if content is not None:
            ui.download.content(content, name, "application/pdf")

    button = ui.button(view.t("review.download"), on_click=fetch).props("outline no-caps")
