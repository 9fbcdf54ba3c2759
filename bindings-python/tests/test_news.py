"""Progress and logs: told in the thread that asked, and to nobody else."""

from __future__ import annotations

import asyncio
import logging
import threading
from pathlib import Path

import pytest

import backproof
from backproof import AsyncBackproof, Backproof

DATA = b"x" * 40_000_000


def test_progress_adds_up(repo: Backproof) -> None:
    events: list[backproof.Event] = []
    threads = set()

    def told(event: backproof.Event) -> None:
        events.append(event)
        threads.add(threading.get_ident())

    backup = repo.backup(DATA, no_encryption=True, on_progress=told)
    assert threads == {threading.get_ident()}
    assert [event.backup for event in events if isinstance(event, backproof.Started)] == [backup.id]
    progress = [event for event in events if isinstance(event, backproof.Progress)]
    assert sum(event.plain for event in progress) >= len(DATA)
    finished = [event for event in events if isinstance(event, backproof.PartFinished)]
    assert any(event.part == "data" and event.plain == len(DATA) for event in finished)
    assert any(isinstance(event, backproof.PartStarted) and event.part == "data" for event in events)
    assert events[0].to_dict().keys() == {"doing"} if isinstance(events[0], backproof.Step) else True


def test_an_exception_in_the_callback_ends_the_work_and_comes_out(repo: Backproof) -> None:
    class Enough(Exception):
        pass

    def told(event: backproof.Event) -> None:
        if isinstance(event, backproof.Progress):
            raise Enough

    with pytest.raises(Enough):
        repo.backup(DATA, no_encryption=True, on_progress=told)
    assert repo.list().backups == ()


def test_progress_in_the_event_loop() -> None:
    events: list[object] = []

    def told(event: backproof.Event) -> None:
        asyncio.get_running_loop()  # an error elsewhere
        events.append(event)

    async def run() -> None:
        async with AsyncBackproof("memory:///", name="app") as repo:
            await repo.init()
            await repo.backup(DATA, no_encryption=True, on_progress=told)
            seen = len(events)
            async with await repo.open_part("latest", "data", on_progress=told) as part:
                await part.read()
            assert seen and len(events) > seen

    asyncio.run(run())


def test_logs_go_to_logging(repo: Backproof, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="backproof"):
        repo.backup(b"x", no_encryption=True)
    assert caplog.records
    assert {record.name.split(".")[0] for record in caplog.records} == {"backproof"}
    assert {record.thread for record in caplog.records} == {threading.get_ident()}
    assert all(record.getMessage() for record in caplog.records)


def test_nothing_is_logged_that_nobody_wants(repo: Backproof, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, logger="backproof"):
        repo.backup(b"x", no_encryption=True)
    assert caplog.records == []


def test_warnings_are_logged_and_in_the_result(folder: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Backproof(folder, name="app") as repo:
        first = repo.backup(b"1", no_encryption=True)
        repo.backup(b"2", no_encryption=True)
        for path in (tmp_path / "repository").rglob(f"{first.id}.manifest"):
            path.unlink()
        listed = repo.list()
    assert [gone.id for gone in listed.missing] == [first.id]
    assert any(first.id in warning for warning in listed.warnings)
    assert any(record.levelno == logging.WARNING and first.id in record.getMessage() for record in caplog.records)
