"""Signals, forks, threads, memory: what a library does to the process that it is in."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from backproof import Backproof, BackproofError

INTERRUPTED = """
import os, sys, time
from backproof import Backproof
repo = Backproof(sys.argv[1], name="app")
def source():
    for count in range(1_000_000):
        if count == 700:
            print("half", flush=True)
        yield b"x" * 65536
def slow():
    yield b"x"
    print("half", flush=True)
    while True:
        time.sleep(0.01)
        yield b"x"
def work():
    if sys.argv[2] == "fast": repo.backup(source(), no_encryption=True)
    elif sys.argv[2] == "slow": repo.backup(slow(), no_encryption=True)
    elif sys.argv[2] == "command":
        print("half", flush=True)
        repo.backup(command=["sleep", "1000"], no_encryption=True)
try:
    work()
except KeyboardInterrupt:
    print("interrupted", len(repo.list().backups), flush=True)
    sys.exit(7)
"""


@pytest.mark.parametrize("kind", ["fast", "slow", "command"])
def test_ctrl_c_stops_it_within_200_ms_and_cleans_up(folder: str, tmp_path: Path, kind: str) -> None:
    took = []
    for _ in range(3):
        child = subprocess.Popen(
            [sys.executable, "-c", INTERRUPTED, folder, kind], stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "half\n"
        before = time.monotonic()
        child.send_signal(signal.SIGINT)
        said = child.stdout.readline()
        took.append(time.monotonic() - before)
        child.wait()
        child.stdout.close()
        assert (said, child.returncode) == ("interrupted 0\n", 7)
        assert [path for path in tmp_path.rglob("*.zst*")] == []
        # No process stays behind.
        with pytest.raises(ProcessLookupError):
            os.killpg(child.pid, 0)
    assert min(took) < 0.2, took


def test_a_second_ctrl_c_does_not_wait() -> None:
    """The clean-up itself can be interrupted: `settle` lets the exception through."""
    from backproof._work import settle

    class Never:
        def cancel(self) -> None: ...

        def wait(self, mask: int, seconds: float) -> int:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        settle(Never())  # type: ignore[arg-type]


def test_after_a_fork_it_raises_and_does_not_hang(repo: Backproof) -> None:
    repo.backup(b"x", no_encryption=True)
    part = repo.open_part("latest", "data")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            said = []
            for work in (repo.list, lambda: repo.backup(b"y", no_encryption=True), part.read, repo.close):
                try:
                    work()
                    said.append("nothing")
                except BackproofError as error:
                    said.append(error.code)
            del part, repo
            gc.collect()
            with Backproof("memory:///", name="app") as own:  # one of its own works
                own.init()
                own.backup(b"z", no_encryption=True)
                said.append(str(len(own.list().backups)))
            os.write(writer, " ".join(said).encode())
        except BaseException as error:
            os.write(writer, repr(error).encode())
        finally:
            os._exit(0)
    os.close(writer)
    deadline = time.monotonic() + 20
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            pytest.fail("the child hangs")
        time.sleep(0.01)
    with os.fdopen(reader) as heard:
        assert heard.read() == "forked forked forked nothing 1"
    assert part.read() == b"x"
    assert len(repo.list().backups) == 1


def _in_a_child(number: int) -> int:
    with Backproof("memory:///", name="app") as repo:
        repo.init()
        repo.backup(b"x" * number, no_encryption=True)
        return len(repo.open_part("latest", "data").read())


def test_multiprocessing() -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map(_in_a_child, [1, 2, 3]) == [1, 2, 3]


def test_threads_share_a_session(repo: Backproof) -> None:
    with ThreadPoolExecutor(8) as pool:
        ids = {backup.id for backup in pool.map(lambda n: repo.backup(bytes([n]) * 1000, no_encryption=True), range(40))}
    assert len(ids) == 40
    assert {backup.id for backup in repo.list().backups} == ids


def test_two_sessions_do_not_know_of_each_other(tmp_path: Path) -> None:
    with Backproof("memory:///", name="one") as one, Backproof((tmp_path / "two").as_uri(), name="two") as two:
        one.init()
        two.init()
        one.backup(b"1", no_encryption=True)
        two.backup(b"22", no_encryption=True)
        for repo, series, data in ((one, "one", b"1"), (two, "two", b"22")):
            assert [backup.series for backup in repo.list().backups] == [series]
            assert repo.open_part("latest", "data").read() == data


def test_a_thread_that_is_not_the_main_one(repo: Backproof) -> None:
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(repo.backup(b"x", no_encryption=True).series))
    thread.start()
    thread.join()
    assert found == ["app"]


def test_another_thread_stays_responsive(repo: Backproof) -> None:
    """While a backup runs, a thread that wants the interpreter gets it soon."""
    delays: list[float] = []
    done = threading.Event()

    def ticking() -> None:
        while not done.is_set():
            before = time.monotonic()
            time.sleep(0.001)
            delays.append(time.monotonic() - before - 0.001)

    thread = threading.Thread(target=ticking)
    thread.start()
    repo.backup((b"x" * 65536 for _ in range(3000)), no_encryption=True)
    done.set()
    thread.join()
    assert len(delays) > 20
    assert sorted(delays)[len(delays) * 99 // 100] < 0.2, sorted(delays)[-10:]


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


LEAK = """
import gc, os, sys
from pathlib import Path
from backproof import Backproof
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
def some(count):
    # A repository holds what is in it: each session has one of its own, and both go away.
    for _ in range(count // 25):
        with Backproof("memory:///", name="app") as repo:
            repo.init()
            for number in range(25):
                repo.backup([b"x" * 1000, bytes([number])], no_encryption=True, on_progress=lambda event: None)
    gc.collect()
some(300)
before = resident()
some(1000)
print((resident() - before) / 1e6)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_a_thousand_backups_grow_memory_by_less_than_10_mb() -> None:
    run = subprocess.run([sys.executable, "-c", LEAK], stdout=subprocess.PIPE, text=True, check=True)
    assert float(run.stdout) < 10


def test_an_interpreter_that_ends_in_the_middle_does_not_hang(folder: str) -> None:
    script = """
        import asyncio, sys, threading, backproof
        repo = backproof.Backproof(sys.argv[1], name="app")
        held = repo._native.start("backup", '{"command": ["sleep", "1000"], "no_encryption": true}')
        async def main():
            other = backproof.AsyncBackproof(sys.argv[1], name="app")
            asyncio.ensure_future(other.backup(command=["sleep", "1000"], no_encryption=True))
            await asyncio.sleep(0.05)
        threading.Thread(target=lambda: repo.backup(command=["sleep", "1000"], no_encryption=True), daemon=True).start()
        asyncio.run(main())
    """
    child = subprocess.run([sys.executable, "-c", textwrap.dedent(script), folder], timeout=30)
    assert child.returncode == 0


def test_the_session_goes_away_with_its_last_name(folder: str) -> None:
    """Threads of ours, counted by the system."""
    tasks = Path("/proc/self/task")
    before = len(list(tasks.iterdir()))
    for _ in range(5):
        Backproof(folder, name="app").list()
    gc.collect()
    deadline = time.monotonic() + 10
    while len(list(tasks.iterdir())) > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(list(tasks.iterdir())) <= before


def test_a_source_that_goes_on_by_itself(repo: Backproof) -> None:
    """A backup within the source of a backup: nothing is held while Python code runs."""

    def nested() -> Iterator[bytes]:
        yield b"outer"
        repo.backup(b"inner", no_encryption=True)

    repo.backup(nested(), no_encryption=True)
    found = [repo.open_part(backup.id, "data").read() for backup in repo.list().backups]
    assert sorted(found) == [b"inner", b"outer"]
