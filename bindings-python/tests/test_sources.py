"""Whatever Python has for bytes can be backed up, and comes back byte for byte."""

from __future__ import annotations

import array
import io
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backproof import Backproof, BackproofError

DATA = random.Random(7).randbytes(5_000_000)


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def unbuffered() -> Any:
    file = tempfile.TemporaryFile(buffering=0)
    file.write(DATA)
    file.seek(0)
    return file


SOURCES: dict[str, Any] = {
    "bytes": lambda: DATA,
    "bytearray": lambda: bytearray(DATA),
    "memoryview": lambda: memoryview(DATA),
    "strided memoryview": lambda: memoryview(bytes(b for byte in DATA[:1000] for b in (byte, 0)))[::2],
    "array": lambda: array.array("B", DATA),
    "file object": lambda: io.BytesIO(DATA),
    "unbuffered file": unbuffered,
    "generator of 64 KiB": lambda: pieces(DATA, 65536),
    "generator of odd pieces": lambda: pieces(DATA, 4097),
    "generator of bytearrays and views": lambda: (
        bytearray(piece) if i % 2 else memoryview(piece) for i, piece in enumerate(pieces(DATA, 65537))
    ),
    "list": lambda: [DATA[:1], b"", DATA[1:]],
}


@pytest.mark.parametrize("kind", SOURCES)
def test_it_comes_back(repo: Backproof, kind: str) -> None:
    expected = DATA[:1000] if kind.startswith("strided") else DATA
    source = SOURCES[kind]()
    backup = repo.backup(source, no_encryption=True)
    getattr(source, "close", lambda: None)()
    assert backup.plain_bytes >= len(expected)  # and the list of what is in it
    with repo.open_part(backup.id, "data") as part:
        assert part.read() == expected


@pytest.mark.parametrize("source", [b"", [], iter(()), io.BytesIO(), bytearray(), [b"", b""]])
def test_nothing_is_a_backup_of_nothing(repo: Backproof, source: Any) -> None:
    backup = repo.backup(source, no_encryption=True)
    assert repo.open_part(backup.id, "data").read() == b""


def test_paths(repo: Backproof, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    for source in (path, str(path)):
        backup = repo.backup(source, no_encryption=True)
        assert repo.open_part(backup.id, "data").read() == DATA


def test_a_program(repo: Backproof) -> None:
    backup = repo.backup(command=["printf", "%s", "it works"], no_encryption=True)
    assert repo.open_part(backup.id, "data").read() == b"it works"
    with pytest.raises(BackproofError) as caught:
        repo.backup(command=["false"], no_encryption=True)
    assert caught.value.code == "source_failed"
    assert len(repo.list().backups) == 1


@pytest.mark.parametrize(
    "source, says",
    [
        (7, "int cannot be backed up"),
        (io.StringIO("text"), "opened? for bytes|'rb'"),
        (["text"], "'rb'"),
        ([b"x", 7], "gives int"),
        ({1: 2}, "gives int"),
    ],
)
def test_what_is_no_bytes_is_refused(repo: Backproof, source: Any, says: str) -> None:
    with pytest.raises(TypeError, match=says):
        repo.backup(source, no_encryption=True)
    assert repo.list().backups == ()


def test_a_command_is_words(repo: Backproof) -> None:
    with pytest.raises(TypeError, match="list of words"):
        repo.backup(command="tar -cf - x", no_encryption=True)


def test_the_sources_own_exception_comes_out_and_nothing_is_published(repo: Backproof) -> None:
    class Broken(Exception):
        pass

    def broken() -> Iterator[bytes]:
        yield DATA
        raise Broken("in the middle")

    with pytest.raises(Broken, match="in the middle"):
        repo.backup(broken(), no_encryption=True)
    assert repo.list().backups == ()


def test_the_source_runs_in_the_thread_that_asked(repo: Backproof) -> None:
    import threading

    seen = set()

    def source() -> Iterator[bytes]:
        for _ in range(100):
            seen.add(threading.get_ident())
            yield b"x" * 100_000

    repo.backup(source(), no_encryption=True)
    assert seen == {threading.get_ident()}


def test_a_backup_that_cannot_be_made_ends_before_the_source_does(repo: Backproof) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 65536

    with pytest.raises(BackproofError) as caught:
        repo.backup(endless())  # to nobody
    assert caught.value.code == "recipient_required"


def test_a_source_and_a_file_besides(repo: Backproof) -> None:
    with pytest.raises(BackproofError) as caught:
        repo.backup(b"x", file="y", no_encryption=True)
    assert caught.value.code == "no_effect"
