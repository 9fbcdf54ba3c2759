"""Drives operations: blocking, and for asyncio. All Python code of the caller runs here, in the caller's own thread or loop."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from typing import Any

from ._backproof import Operation
from ._errors import BackproofError, make_error
from ._progress import OnProgress, event
from ._sources import async_batches

DONE, NEWS, WANTED, READY = 1, 2, 4, 8
# How long a wait may be at most, in seconds: signals are looked at in between.
TICK = 0.05

_LOGGERS = [
    logging.getLogger(name)
    for name in ("backproof", "backproof.core", "backproof.storage", "backproof.crypto", "backproof.postgres")
]
_BY_NAME = {logger.name: logger for logger in _LOGGERS}
# As a library should: nothing is printed where nobody configured logging.
_LOGGERS[0].addHandler(logging.NullHandler())


def log_level() -> int:
    """The lowest level that anybody listens to."""
    return min(255, min(logger.getEffectiveLevel() for logger in _LOGGERS))


def tell(operation: Operation, on_progress: OnProgress | None) -> None:
    """Hands on what happened: records to `logging`, events to the callback."""
    for news in json.loads(operation.news()):
        name = news.get("log")
        if name is not None:
            logger = _BY_NAME.get(name, _LOGGERS[0])
            logger.log(news["level"], "%s", news["message"])
        elif on_progress is not None:
            on_progress(event(news))


def result(operation: Operation) -> Any:
    """The document of an operation that is done, or its error."""
    well, document = operation.outcome()
    parsed = json.loads(document)
    if well:
        return parsed
    raise error(parsed)


def error(document: dict[str, str]) -> BackproofError:
    """The exception of an error's document."""
    return make_error(document["code"], document["message"], document["hint"])


def settle(operation: Operation) -> None:
    """Waits until cancelled work is in order. Who interrupts again does not want to wait."""
    operation.cancel()
    while not operation.wait(DONE, TICK) & DONE:
        pass


def run(operation: Operation, batches: Iterator[list[bytes]] | None, on_progress: OnProgress | None) -> Any:
    """Waits for the outcome, brings the source's bytes meanwhile, and hands on what happens."""
    try:
        while True:
            flags = operation.wait(DONE | NEWS | WANTED, TICK)
            if flags & NEWS:
                tell(operation, on_progress)
            if flags & DONE:
                return result(operation)
            if flags & WANTED:
                feed(operation, batches)
    except BaseException:
        settle(operation)
        raise


def feed(operation: Operation, batches: Iterator[list[bytes]] | None) -> None:
    """Brings one batch."""
    batch = next(batches, None) if batches is not None else None
    if batch is None:
        operation.feed_end()
    else:
        operation.feed(batch)


def await_bytes(operation: Operation, on_progress: OnProgress | None) -> bool:
    """Waits until a stream has bytes, or has come to its end, well or badly. Whether it has bytes."""
    try:
        while True:
            flags = operation.wait(DONE | NEWS | READY, TICK)
            if flags & NEWS:
                tell(operation, on_progress)
            if flags & READY:
                return True
            if flags & DONE:
                return False
    except BaseException:
        settle(operation)
        raise


class Waker:
    """Wakes the loop's task when its operation has something for it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.changed: asyncio.Event = asyncio.Event()
        self.changed.set()  # the first look is free

    def __call__(self) -> None:
        self._loop.call_soon_threadsafe(self.changed.set)

    async def wait(self) -> None:
        """Waits for a change since the last time."""
        await self.changed.wait()
        self.changed.clear()


async def settle_async(operation: Operation, waker: Waker) -> None:
    """Waits until cancelled work is in order. Who cancels again does not want to wait."""
    operation.cancel()
    while not operation.poll() & DONE:
        await waker.wait()


async def run_async(operation: Operation, waker: Waker, source: object, on_progress: OnProgress | None) -> Any:
    """As `run`."""
    wanted = asyncio.Event()
    feeder = None if source is None else asyncio.ensure_future(_feed_async(operation, wanted, source))
    if feeder is not None:
        feeder.add_done_callback(lambda _: waker.changed.set())
    try:
        while True:
            await waker.wait()
            flags = operation.poll()
            if flags & NEWS:
                tell(operation, on_progress)
            if flags & DONE:
                return result(operation)
            if feeder is not None and feeder.done():
                feeder.result()  # its exception, if it has one
            if flags & WANTED:
                wanted.set()
    except BaseException:
        await settle_async(operation, waker)
        raise
    finally:
        if feeder is not None:
            feeder.cancel()
            await asyncio.gather(feeder, return_exceptions=True)


async def _feed_async(operation: Operation, wanted: asyncio.Event, source: object) -> None:
    async for batch in async_batches(source):
        while not (flags := operation.wait(0, 0.0)) & WANTED:
            if flags & DONE:
                return
            wanted.clear()
            await wanted.wait()
        operation.feed(batch)
    operation.feed_end()


async def await_bytes_async(operation: Operation, waker: Waker, on_progress: OnProgress | None) -> bool:
    """As `await_bytes`."""
    try:
        while True:
            flags = operation.poll()
            if flags & NEWS:
                tell(operation, on_progress)
            if flags & READY:
                return True
            if flags & DONE:
                return False
            await waker.wait()
    except BaseException:
        await settle_async(operation, waker)
        raise
