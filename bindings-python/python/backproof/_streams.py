"""Bytes and rows that come out of a backup: file objects and iterators."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Any

from ._backproof import Operation
from ._progress import OnProgress
from ._work import DONE, READY, Waker, await_bytes, await_bytes_async, result, settle, settle_async

__all__ = ["AsyncPart", "AsyncRows", "Row", "Rows"]

Row = dict[str, "str | None"]
"""One row of a table: its columns' values as PostgreSQL writes them, None for NULL."""

_WHOLE = 1 << 40


class PartFile(io.RawIOBase):
    """The plaintext of a part, read as it comes out of the store. Wrapped in an `io.BufferedReader`."""

    def __init__(self, operation: Operation, on_progress: OnProgress | None) -> None:
        super().__init__()
        self._operation = operation
        self._on_progress = on_progress
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        if self.closed:
            raise ValueError("I/O operation on closed file")
        view = memoryview(buffer).cast("B")
        if len(view) == 0:
            return 0
        piece = self._operation.take(len(view)) or self._wait(len(view))
        view[: len(piece)] = piece
        return len(piece)

    def readall(self) -> bytes:
        if self.closed:
            raise ValueError("I/O operation on closed file")
        pieces = []
        while piece := self._operation.take(_WHOLE) or self._wait(_WHOLE):
            pieces.append(piece)
        return b"".join(pieces)

    def _wait(self, limit: int) -> bytes:
        if self._ended:
            return b""
        if await_bytes(self._operation, self._on_progress):
            return self._operation.take(limit)
        result(self._operation)  # an error in its place: what was read is not the whole part
        self._ended = True
        return b""

    def close(self) -> None:
        if not self.closed:
            super().close()
            settle(self._operation)


class AsyncPart:
    """The plaintext of a part, for asyncio: `await read()`, or `async for` its pieces.

    What was read is the whole part only when the end was reached without an error.
    """

    def __init__(self, operation: Operation, waker: Waker, on_progress: OnProgress | None) -> None:
        self._operation = operation
        self._waker = waker
        self._on_progress = on_progress
        self._ended = False

    async def read(self, size: int = -1) -> bytes:
        """At most so many bytes, or all that is left; none at the end."""
        if size >= 0:
            return await self._some(size) if size else b""
        pieces = []
        while piece := await self._some(_WHOLE):
            pieces.append(piece)
        return b"".join(pieces)

    async def _some(self, limit: int) -> bytes:
        piece = self._operation.take(limit)
        if piece or self._ended:
            return piece
        if await await_bytes_async(self._operation, self._waker, self._on_progress):
            return self._operation.take(limit)
        self._ended = True
        result(self._operation)
        return b""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if piece := await self._some(_WHOLE):
            return piece
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Ends the reading, wherever it is."""
        self._ended = True
        await settle_async(self._operation, self._waker)

    async def __aenter__(self) -> AsyncPart:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


def _rows(piece: bytes) -> Iterator[Row]:
    """The rows of a piece: JSON objects, one a line, whole lines only."""
    rows: list[Row] = json.loads(b"[" + piece.rstrip(b"\n").replace(b"\n", b",") + b"]")
    return iter(rows)


class Rows(Iterator[Row]):
    """The rows of a table. They are all of them only when the iteration ends without an error."""

    def __init__(self, operation: Operation, on_progress: OnProgress | None) -> None:
        self._operation = operation
        self._on_progress = on_progress
        self._ready: Iterator[Row] = iter(())
        self._ended = False

    def __iter__(self) -> Rows:
        return self

    def __next__(self) -> Row:
        while True:
            for row in self._ready:
                return row
            if self._ended:
                raise StopIteration
            if await_bytes(self._operation, self._on_progress):
                self._ready = _rows(self._operation.take(_WHOLE))
            else:
                self._ended = True
                result(self._operation)

    def close(self) -> None:
        """Ends the reading, wherever it is."""
        self._ended = True
        self._ready = iter(())
        settle(self._operation)

    def __enter__(self) -> Rows:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class AsyncRows(AsyncIterator[Row]):
    """The rows of a table, for asyncio. They are all of them only when the iteration ends without an error."""

    def __init__(self, operation: Operation, waker: Waker, on_progress: OnProgress | None) -> None:
        self._operation = operation
        self._waker = waker
        self._on_progress = on_progress
        self._ready: Iterator[Row] = iter(())
        self._ended = False

    def __aiter__(self) -> AsyncRows:
        return self

    async def __anext__(self) -> Row:
        while True:
            for row in self._ready:
                return row
            if self._ended:
                raise StopAsyncIteration
            if await await_bytes_async(self._operation, self._waker, self._on_progress):
                self._ready = _rows(self._operation.take(_WHOLE))
            else:
                self._ended = True
                result(self._operation)

    async def aclose(self) -> None:
        """Ends the reading, wherever it is."""
        self._ended = True
        self._ready = iter(())
        await settle_async(self._operation, self._waker)

    async def __aenter__(self) -> AsyncRows:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


def opened(operation: Operation, on_progress: OnProgress | None) -> None:
    """Waits until a stream is open; an error there is raised at once."""
    if not await_bytes(operation, on_progress):
        _check(operation)


async def opened_async(operation: Operation, waker: Waker, on_progress: OnProgress | None) -> None:
    """As `opened`."""
    if not await await_bytes_async(operation, waker, on_progress):
        _check(operation)


def _check(operation: Operation) -> None:
    assert operation.poll() & (DONE | READY)
    result(operation)
