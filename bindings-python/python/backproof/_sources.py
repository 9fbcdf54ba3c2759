"""Where the bytes of a backup come from: anything that Python has for bytes, as batches for the native half."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Sequence
from typing import Any, Protocol, Union, runtime_checkable

__all__ = ["AsyncSource", "Source"]

PIECE = 1 << 20
"""Bytes read at once from a file object."""

BATCH = 4 << 20
"""Bytes handed over at once."""

PATIENCE = 0.02
"""Seconds after which a batch is handed over as it is: a slow source does not keep the rest from going on."""

Buffer = Union[bytes, bytearray, memoryview]


@runtime_checkable
class Readable(Protocol):
    """A file object, opened for bytes."""

    def read(self, size: int = ..., /) -> bytes:
        """At most so many bytes; none at the end."""
        ...


Source = Union[str, "os.PathLike[str]", Buffer, Readable, Iterable[Buffer]]
"""What can be backed up besides a database: a path, bytes, a file object opened for bytes, an iterable of bytes."""

AsyncSource = Union[Source, AsyncIterable[Buffer]]
"""The same, and asynchronous iterables of bytes."""


def path_of(source: object) -> str | None:
    """The path, where the source is one."""
    if isinstance(source, str):
        return source
    if isinstance(source, os.PathLike):
        path = os.fspath(source)
        return path if isinstance(path, str) else os.fsdecode(path)
    return None


def batches(source: object) -> Iterator[list[bytes]]:
    """The source in batches: each ends when it is large enough, or took long enough."""
    return _batched(iter(_pieces(source)))


def _pieces(source: object) -> Iterable[Any]:
    if isinstance(source, bytes):
        return (source,)
    if isinstance(source, Readable):
        return iter(lambda: _some(source.read(PIECE)), b"")
    try:
        # Whatever has a buffer: bytearray, array.array, numpy. Those can be iterated, too, number by number.
        return _slices(memoryview(source))  # type: ignore[arg-type]
    except TypeError:
        if isinstance(source, Iterable):
            return source
        raise _unfit(source) from None


def _slices(view: memoryview) -> Iterator[bytes]:
    flat = view.cast("B") if view.contiguous else memoryview(view.tobytes())
    return (bytes(flat[start : start + PIECE]) for start in range(0, len(flat), PIECE))


def _some(read: object) -> bytes:
    """What a file object gave: nothing else than bytes, and not "nothing just now" of a file that does not block."""
    if isinstance(read, bytes):
        return read
    if read is None:
        raise BlockingIOError("the source is a file that does not block, and has no bytes yet: open it blocking")
    return _bytes(read)


def _bytes(piece: object) -> bytes:
    if isinstance(piece, (bytearray, memoryview)):
        return bytes(piece)
    if isinstance(piece, str):
        raise TypeError("the source gives text, and a backup is of bytes: open the file with 'rb', or encode it")
    try:
        return bytes(memoryview(piece))  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"the source gives {type(piece).__name__}, and a backup is of bytes") from None


def _unfit(source: object) -> TypeError:
    return TypeError(
        f"{type(source).__name__} cannot be backed up: give a path, bytes, a file object opened for bytes, "
        "or an iterable of bytes"
    )


def _batched(pieces: Iterator[Any]) -> Iterator[list[bytes]]:
    now = time.monotonic
    batch: list[bytes] = []
    size = 0
    until = now() + PATIENCE
    for piece in pieces:
        if type(piece) is not bytes:
            piece = _bytes(piece)
        batch.append(piece)
        size += len(piece)
        if size >= BATCH or now() > until:
            yield batch
            batch = []
            size = 0
            until = now() + PATIENCE
    if batch:
        yield batch


async def async_batches(source: object) -> AsyncIterator[list[bytes]]:
    """The same for asyncio. What blocks is read in another thread."""
    if isinstance(source, AsyncIterable):
        now = time.monotonic
        batch: list[bytes] = []
        size = 0
        until = now() + PATIENCE
        async for piece in source:
            batch.append(piece if type(piece) is bytes else _bytes(piece))
            size += len(batch[-1])
            if size >= PIECE or now() > until:
                yield batch
                await asyncio.sleep(0)  # others have their turn, though the source never waits
                batch = []
                size = 0
                until = now() + PATIENCE
        if batch:
            yield batch
        return
    ready = batches(source)
    while (next_batch := await asyncio.to_thread(next, ready, None)) is not None:
        yield next_batch


def command_of(command: Sequence[str] | None) -> list[str] | None:
    """The words of a program to back up; a single text would be taken letter by letter."""
    if isinstance(command, (str, bytes)):
        raise TypeError("a command is a list of words, e.g. ['tar', '-cf', '-', 'folder']")
    return None if command is None else [os.fspath(word) for word in command]
