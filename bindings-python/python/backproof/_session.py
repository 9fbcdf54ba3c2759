"""What both forms of a session have in common, and what either has of its own."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any, BinaryIO, TypeVar, cast

from . import _backproof
from ._json import decode, options
from ._progress import OnProgress
from ._sources import batches, command_of, path_of
from ._streams import AsyncPart, AsyncRows, PartFile, Rows, opened, opened_async
from ._work import Waker, error, log_level, run, run_async

T = TypeVar("T")


class Session:
    """The native session. Any thread may use it; a process that is forked off needs one of its own."""

    _native: _backproof.Session

    def _open(self, settings: Mapping[str, Any]) -> None:
        native, failure = _backproof.Session.open(json.dumps(options(settings)))
        if native is None:
            raise error(json.loads(failure))
        self._native = native

    def close(self) -> None:
        """Cancels what is going on; nothing can be started any more. Calling it again does nothing."""
        self._native.close()


class BlockingSession(Session):
    """Runs verbs and waits for them."""

    def _start(
        self, verb: str, given: Mapping[str, Any], on_progress: OnProgress | None, feed: bool = False
    ) -> _backproof.Operation:
        said = json.dumps(options(given))
        return self._native.start(verb, said, feed=feed, progress=on_progress is not None, log_level=log_level())

    def _call(self, verb: str, given: Mapping[str, Any], kind: type[T], on_progress: OnProgress | None) -> T:
        return decode(kind, run(self._start(verb, given, on_progress), None, on_progress))

    def _call_with_source(
        self, verb: str, given: dict[str, Any], source: object, kind: type[T], on_progress: OnProgress | None
    ) -> T:
        given["command"] = command_of(given["command"])
        if source is None:
            return self._call(verb, given, kind, on_progress)
        if (path := path_of(source)) is not None:
            return self._call(verb, {**given, "file": path}, kind, on_progress)
        pieces = batches(source)
        return decode(kind, run(self._start(verb, given, on_progress, feed=True), pieces, on_progress))

    def _open_part(self, given: Mapping[str, Any], on_progress: OnProgress | None) -> BinaryIO:
        operation = self._start("cat", given, on_progress)
        opened(operation, on_progress)
        return cast(BinaryIO, io.BufferedReader(PartFile(operation, on_progress), 1 << 20))

    def _open_rows(self, given: Mapping[str, Any], on_progress: OnProgress | None) -> Rows:
        operation = self._start("cat", given, on_progress)
        opened(operation, on_progress)
        return Rows(operation, on_progress)


class AsyncSession(Session):
    """Runs verbs for asyncio."""

    def _start(
        self, verb: str, given: Mapping[str, Any], on_progress: OnProgress | None, feed: bool = False
    ) -> tuple[_backproof.Operation, Waker]:
        said, waker = json.dumps(options(given)), Waker()
        progress = on_progress is not None
        operation = self._native.start(verb, said, feed=feed, progress=progress, log_level=log_level(), waker=waker)
        return operation, waker

    async def _call(self, verb: str, given: Mapping[str, Any], kind: type[T], on_progress: OnProgress | None) -> T:
        operation, waker = self._start(verb, given, on_progress)
        return decode(kind, await run_async(operation, waker, None, on_progress))

    async def _call_with_source(
        self, verb: str, given: dict[str, Any], source: object, kind: type[T], on_progress: OnProgress | None
    ) -> T:
        given["command"] = command_of(given["command"])
        if source is None:
            return await self._call(verb, given, kind, on_progress)
        if (path := path_of(source)) is not None:
            return await self._call(verb, {**given, "file": path}, kind, on_progress)
        operation, waker = self._start(verb, given, on_progress, feed=True)
        return decode(kind, await run_async(operation, waker, source, on_progress))

    async def _open_part(self, given: Mapping[str, Any], on_progress: OnProgress | None) -> AsyncPart:
        operation, waker = self._start("cat", given, on_progress)
        await opened_async(operation, waker, on_progress)
        return AsyncPart(operation, waker, on_progress)

    async def _open_rows(self, given: Mapping[str, Any], on_progress: OnProgress | None) -> AsyncRows:
        operation, waker = self._start("cat", given, on_progress)
        await opened_async(operation, waker, on_progress)
        return AsyncRows(operation, waker, on_progress)
