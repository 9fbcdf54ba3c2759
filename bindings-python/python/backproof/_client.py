"""The two classes that programs use."""

from __future__ import annotations

from types import TracebackType
from typing import BinaryIO

from ._progress import OnProgress
from ._streams import AsyncPart, AsyncRows, Rows
from ._verbs import AsyncVerbs, Verbs

__all__ = ["AsyncBackproof", "Backproof"]


class Backproof(Verbs):
    """A repository with its settings, for programs that wait.

    Ctrl-C ends what is waited for and puts it in order. Any thread may use it; after a fork, the child needs one of its own.

    >>> with Backproof("memory:///", name="app") as repo:
    ...     _ = repo.init()
    ...     backup = repo.backup(b"all that matters", no_encryption=True)
    ...     repo.verify("latest", level="readable").status
    'healthy'
    """

    def open_part(
        self,
        id: str,
        part: str,
        *,
        allow_unsigned: bool = False,
        passphrase: bool = False,
        on_progress: OnProgress | None = None,
    ) -> BinaryIO:
        """Opens the plaintext of one part as a file object for reading.

        What was read is the whole part only when the end was reached without an error.

        Args:
            id: An id, the start of one, or `latest`.
            part: The part: `dump`, `globals`, `contents`, …; `data` of a backup that is not of a database.
            allow_unsigned: Read a backup that no trusted signer signed; it must be named by its id.
            passphrase: The backup was sealed to a passphrase.
            on_progress: Called with each event; in this thread, while reading.

        Raises:
            BackproofError: There is no such part, or it cannot be read.
        """
        given = {"id": id, "part": part, "allow_unsigned": allow_unsigned, "passphrase": passphrase}
        return self._open_part(given, on_progress)

    def rows(
        self,
        id: str,
        table: str,
        *,
        allow_unsigned: bool = False,
        passphrase: bool = False,
        on_progress: OnProgress | None = None,
    ) -> Rows:
        """The rows of one table, each a dict of its columns' values as text, None for NULL. No server is needed.

        They are all of them only when the iteration ends without an error.

        Args:
            id: An id, the start of one, or `latest`.
            table: The table, named as in SQL: `public.orders`.
            allow_unsigned: Read a backup that no trusted signer signed; it must be named by its id.
            passphrase: The backup was sealed to a passphrase.
            on_progress: Called with each event; in this thread, while reading.

        Raises:
            BackproofError: There is no such table, or it cannot be read.
        """
        given = {"id": id, "table": table, "format": "json", "allow_unsigned": allow_unsigned, "passphrase": passphrase}
        return self._open_rows(given, on_progress)

    def __enter__(self) -> Backproof:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class AsyncBackproof(AsyncVerbs):
    """A repository with its settings, for asyncio. Cancelling the task cancels the work, and waits until it is put in order."""

    async def open_part(
        self,
        id: str,
        part: str,
        *,
        allow_unsigned: bool = False,
        passphrase: bool = False,
        on_progress: OnProgress | None = None,
    ) -> AsyncPart:
        """Opens the plaintext of one part, to be read with `await part.read()` or `async for`.

        What was read is the whole part only when the end was reached without an error.

        Args:
            id: An id, the start of one, or `latest`.
            part: The part: `dump`, `globals`, `contents`, …; `data` of a backup that is not of a database.
            allow_unsigned: Read a backup that no trusted signer signed; it must be named by its id.
            passphrase: The backup was sealed to a passphrase.
            on_progress: Called with each event; in this event loop, while reading.

        Raises:
            BackproofError: There is no such part, or it cannot be read.
        """
        given = {"id": id, "part": part, "allow_unsigned": allow_unsigned, "passphrase": passphrase}
        return await self._open_part(given, on_progress)

    async def rows(
        self,
        id: str,
        table: str,
        *,
        allow_unsigned: bool = False,
        passphrase: bool = False,
        on_progress: OnProgress | None = None,
    ) -> AsyncRows:
        """The rows of one table, for `async for`; each a dict of its columns' values as text, None for NULL. No server is needed.

        They are all of them only when the iteration ends without an error.

        Args:
            id: An id, the start of one, or `latest`.
            table: The table, named as in SQL: `public.orders`.
            allow_unsigned: Read a backup that no trusted signer signed; it must be named by its id.
            passphrase: The backup was sealed to a passphrase.
            on_progress: Called with each event; in this event loop, while reading.

        Raises:
            BackproofError: There is no such table, or it cannot be read.
        """
        given = {"id": id, "table": table, "format": "json", "allow_unsigned": allow_unsigned, "passphrase": passphrase}
        return await self._open_rows(given, on_progress)

    async def __aenter__(self) -> AsyncBackproof:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
