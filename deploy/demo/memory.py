"""What a demonstration remembers on disk, so that an interrupted one goes on where it stopped."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from deploy.demo.errors import DemoError

Result = dict[str, Any]


@dataclass
class Memory:
    """`about` names bank, size and seed; `run` is part of every Idempotency-Key of this demonstration."""

    file: Path
    about: Result
    run: str = field(default_factory=lambda: uuid4().hex[:12])
    begun: str = ""
    steps: dict[str, Result] = field(default_factory=dict)
    notes: Result = field(default_factory=dict)

    @classmethod
    def at(cls, file: Path, about: Result, begun: str) -> "Memory":
        """The one in the file, or a new one. A directory holds one demonstration only."""
        if not file.exists():
            memory = cls(file, about, begun=begun)
            memory.save()
            return memory
        stored = json.loads(file.read_text("utf-8"))
        if stored["about"] != about:
            raise DemoError(
                f"{file.parent} already holds the demonstration {_words(stored['about'])}; "
                f"choose another --data-dir for {_words(about)}"
            )
        return cls(file, about, stored["run"], stored["begun"], stored["steps"], stored["notes"])

    def key(self, *parts: object) -> str:
        """An Idempotency-Key: the same for the same intention of the same demonstration."""
        return "-".join(["demo", self.run, *map(str, parts)])

    def finish(self, step: str, result: Result) -> None:
        self.steps[step] = result
        self.save()

    def note(self, name: str, value: Any) -> None:
        """How far inside a step, or what it must say the same way again."""
        self.notes[name] = value
        self.save()

    def save(self) -> None:
        aside = self.file.with_suffix(".new")
        stored = {
            "about": self.about,
            "run": self.run,
            "begun": self.begun,
            "steps": self.steps,
            "notes": self.notes,
        }
        aside.write_text(json.dumps(stored, indent=1, ensure_ascii=False), "utf-8")
        aside.replace(self.file)


def _words(about: Result) -> str:
    return ", ".join(f"{name} {value}" for name, value in about.items() if value is not None)
