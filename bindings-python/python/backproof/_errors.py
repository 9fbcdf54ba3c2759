"""Errors: one class, with the library's stable code and its hint; subclasses where a built-in exception fits."""

from __future__ import annotations

from collections.abc import Callable

__all__ = [
    "BackproofAccessError",
    "BackproofError",
    "BackproofNotFoundError",
    "BackproofTimeoutError",
]


class BackproofError(Exception):
    """Something failed. Match on `code`; show `message` and `hint` to people.

    Attributes:
        code: The stable name of what went wrong, e.g. ``backup_not_found``; ``backproof.CODES`` has them all.
        message: What happened, with the name of the object it is about, and its causes.
        hint: What to do about it.
    """

    __module__ = "backproof"

    code: str
    message: str
    hint: str

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(code, message, hint)
        self.code = code
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.message} [{self.code}]"
        return f"{text}\nhint: {self.hint}" if self.hint else text

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str, str]]:
        return _again, (self.code, self.message, self.hint)


class BackproofNotFoundError(BackproofError, FileNotFoundError):
    """What was named is not there: a repository, a backup, a part, an object, a file."""

    __module__ = "backproof"


class BackproofAccessError(BackproofError, PermissionError):
    """The store, the system or the database refused it."""

    __module__ = "backproof"


class BackproofTimeoutError(BackproofError, TimeoutError):
    """It took longer than it may, and was given up."""

    __module__ = "backproof"


# Built-ins that fit, by code. What is not here is a plain BackproofError.
CLASSES: dict[str, type[BackproofError]] = {
    "object_not_found": BackproofNotFoundError,
    "no_repository": BackproofNotFoundError,
    "backup_not_found": BackproofNotFoundError,
    "part_not_found": BackproofNotFoundError,
    "access_denied": BackproofAccessError,
    "upload_stalled": BackproofTimeoutError,
}


def make_error(code: str, message: str, hint: str) -> BackproofError:
    """The exception of this code."""
    return CLASSES.get(code, BackproofError)(code, message, hint)


def _again(code: str, message: str, hint: str) -> BackproofError:
    return make_error(code, message, hint)
