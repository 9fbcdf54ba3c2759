"""What an operation tells about itself while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Union

from ._json import Record

__all__ = [
    "Event",
    "OnProgress",
    "PartFinished",
    "PartStarted",
    "Progress",
    "Started",
    "Step",
    "Warned",
]


@dataclass(frozen=True, slots=True)
class Step(Record):
    """A step began, as a verb phrase for people: `take snapshot`."""

    doing: str


@dataclass(frozen=True, slots=True)
class Started(Record):
    """A backup got its id: the one that it will have when it is published."""

    backup: str


@dataclass(frozen=True, slots=True)
class PartStarted(Record):
    """A part began. `expected`: about how many bytes of plaintext will come, where that is known."""

    part: str
    expected: int | None


@dataclass(frozen=True, slots=True)
class Progress(Record):
    """Bytes went through since the last such event: to be added up. `plain` as data, `stored` as stored."""

    plain: int
    stored: int


@dataclass(frozen=True, slots=True)
class PartFinished(Record):
    """A part is complete, with so many bytes of data, and as stored."""

    part: str
    plain: int
    stored: int


@dataclass(frozen=True, slots=True)
class Warned(Record):
    """Something needs attention, but the operation goes on. The result has all warnings, too."""

    message: str


Event = Union[Step, Started, PartStarted, Progress, PartFinished, Warned]
"""What `on_progress` is called with."""

OnProgress = Callable[[Event], object]
"""Called in the thread, or the event loop, that asked for the work. An exception in it ends the work, and comes out of the call."""

_KINDS: dict[str, type[Record]] = {
    "step": Step,
    "started": Started,
    "part_started": PartStarted,
    "progress": Progress,
    "part_finished": PartFinished,
    "warning": Warned,
}


def event(news: dict[str, Any]) -> Event:
    """The event of a native document."""
    kind = news.pop("event")
    made: Any = _KINDS[kind](**news)
    result: Event = made
    return result
