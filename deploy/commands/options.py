"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

DataDir = Annotated[
    Path,
    typer.Option("--data-dir", envvar="HUANYING_DATA_DIR", help="Where the installation keeps its data"),
]
Host = Annotated[str, typer.Option(help="Address to listen on")]
Port = Annotated[int, typer.Option(min=0, max=65_535, help="Port of console and gateway; 0 takes a free one")]
LogLevel = Annotated[str, typer.Option(help="DEBUG, INFO, WARNING or ERROR")]
