"""The same for asyncio."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from backproof import AsyncBackproof, Backproof, BackproofError, BackproofNotFoundError

DATA = bytes(range(256)) * 20_000


async def opened() -> AsyncBackproof:
    repo = AsyncBackproof("memory:///", name="app")
    await repo.init()
    return repo


async def pieces() -> AsyncIterator[bytes]:
    for at in range(0, len(DATA), 65536):
        yield DATA[at : at + 65536]


def test_a_whole_round(tmp_path: Path) -> None:
    async def run() -> None:
        async with await opened() as repo:
            path = tmp_path / "file"
            path.write_bytes(DATA)
            sources: list[Any] = [pieces(), DATA, io.BytesIO(DATA), iter([DATA]), path]
            for source in sources:
                backup = await repo.backup(source, no_encryption=True)
                async with await repo.open_part(backup.id, "data") as part:
                    assert await part.read() == DATA
            part = await repo.open_part(backup.id, "data")
            assert b"".join([piece async for piece in part]) == DATA
            assert await part.read() == b""
            assert len((await repo.list()).backups) == len(sources)
            assert (await repo.verify("latest", level="readable")).status == "healthy"

    asyncio.run(run())


def test_errors() -> None:
    async def run() -> None:
        async with await opened() as repo:
            with pytest.raises(BackproofNotFoundError):
                await repo.show("latest")
            with pytest.raises(BackproofNotFoundError):
                await repo.open_part("latest", "data")
            backup = await repo.backup(b"x", no_encryption=True)
            with pytest.raises(BackproofError) as caught:
                await repo.open_part(backup.id, "dump")
            assert caught.value.code == "part_not_found"

    asyncio.run(run())


def test_the_sources_exception_comes_out() -> None:
    class Broken(Exception):
        pass

    async def broken() -> AsyncIterator[bytes]:
        yield DATA
        raise Broken("in the middle")

    def broken_blocking() -> Iterator[bytes]:
        yield DATA
        raise Broken("in the middle")

    async def run() -> None:
        async with await opened() as repo:
            for source in (broken(), broken_blocking()):
                with pytest.raises(Broken):
                    await repo.backup(source, no_encryption=True)
            assert (await repo.list()).backups == ()

    asyncio.run(run())


def test_cancelling_the_task_cancels_the_work_and_leaves_nothing(tmp_path: Path) -> None:
    """Cancelled in the middle of a backup: nothing is published, and what was stored is gone when the await returns."""
    url = (tmp_path / "repository").as_uri()

    async def run() -> None:
        repo = AsyncBackproof(url, name="app")
        await repo.init()
        half = asyncio.Event()

        async def endless() -> AsyncIterator[bytes]:
            for count in range(1_000_000):
                if count == 700:  # two segments of 16 MiB are on their way
                    half.set()
                yield b"x" * 65536

        task = asyncio.create_task(repo.backup(endless(), no_encryption=True))
        await half.wait()
        before = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - before < 5
        assert (await repo.list()).backups == ()
        assert [path for path in (tmp_path / "repository").rglob("*.zst*")] == []

    asyncio.run(run())


def test_a_time_limit() -> None:
    async def never() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    async def run() -> None:
        async with await opened() as repo:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(repo.backup(never(), no_encryption=True), 0.1)
            assert (await repo.list()).backups == ()

    asyncio.run(run())


def test_many_at_once_and_the_loop_goes_on() -> None:
    """While backups run, no turn of the loop takes long: 99 of 100 under 20 ms."""

    async def run() -> list[float]:
        delays: list[float] = []

        async def ticking() -> None:
            while True:
                before = time.monotonic()
                await asyncio.sleep(0.001)
                delays.append(time.monotonic() - before - 0.001)

        async with await opened() as repo:
            ticks = asyncio.create_task(ticking())
            await asyncio.gather(*(repo.backup(pieces(), no_encryption=True) for _ in range(8)))
            await repo.backup(iter([b"x" * 65536] * 1600), no_encryption=True)
            ticks.cancel()
            assert len((await repo.list()).backups) == 9
        return delays

    delays = sorted(asyncio.run(run()))
    assert delays[len(delays) * 99 // 100] < 0.2, delays[-10:]  # generous: other tests run beside it


def test_both_forms_at_once() -> None:
    async def run(repo: Backproof) -> None:
        async with await opened() as other:
            await asyncio.gather(
                asyncio.to_thread(repo.backup, DATA, no_encryption=True), other.backup(DATA, no_encryption=True)
            )

    with Backproof("memory:///", name="app") as repo:
        repo.init()
        asyncio.run(run(repo))
        assert len(repo.list().backups) == 1
