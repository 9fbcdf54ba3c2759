"""Bytes that come out: file objects, part by part."""

from __future__ import annotations

import io
import random
import tarfile
from pathlib import Path

import pytest

from backproof import Backproof, BackproofError, BackproofNotFoundError

DATA = random.Random(11).randbytes(40_000_000)


def test_it_is_a_file_object(repo: Backproof) -> None:
    backup = repo.backup(DATA, no_encryption=True)
    with repo.open_part(backup.id, "data") as part:
        assert part.readable() and not part.writable() and not part.seekable()
        assert part.read(0) == b""
        assert part.read(1) == DATA[:1]
        buffer = bytearray(1000)
        assert part.readinto(buffer) == 1000  # type: ignore[attr-defined]
        assert bytes(buffer) == DATA[1:1001]
        assert part.read() == DATA[1001:]
        assert part.read() == b""
        assert part.read(5) == b""
    assert part.closed
    with pytest.raises(ValueError):
        part.read()


def test_other_modules_take_it(repo: Backproof) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        info = tarfile.TarInfo("name")
        info.size = 5
        tar.addfile(info, io.BytesIO(b"hello"))
    repo.backup(archive.getvalue(), no_encryption=True)
    with repo.open_part("latest", "data") as part, tarfile.open(fileobj=part, mode="r|") as tar:
        member = tar.next()
        assert member is not None and member.name == "name"
        inside = tar.extractfile(member)
        assert inside is not None and inside.read() == b"hello"


def test_left_in_the_middle(repo: Backproof) -> None:
    backup = repo.backup(DATA, no_encryption=True)
    for _ in range(20):
        with repo.open_part(backup.id, "data") as part:
            assert part.read(10) == DATA[:10]
    part = repo.open_part(backup.id, "data")
    assert part.read(10) == DATA[:10]
    del part  # as with any file


def test_what_is_not_there(repo: Backproof) -> None:
    with pytest.raises(BackproofNotFoundError) as caught:
        repo.open_part("latest", "data")
    assert caught.value.code == "backup_not_found"
    repo.backup(b"x", no_encryption=True)
    with pytest.raises(BackproofError) as part:
        repo.open_part("latest", "dump")
    assert part.value.code == "part_not_found"
    with pytest.raises(BackproofError):
        repo.rows("latest", "public.orders")


def test_damage_is_an_error_where_it_is_read(folder: str, tmp_path: Path) -> None:
    with Backproof(folder, name="app") as repo:
        backup = repo.backup(DATA, no_encryption=True)
        segments = sorted((tmp_path / "repository").rglob(f"{backup.id}/data/*.zst"))
        assert len(segments) == 3
        damaged = bytearray(segments[1].read_bytes())
        damaged[1000] ^= 1
        segments[1].chmod(0o600)
        segments[1].write_bytes(damaged)
        with repo.open_part(backup.id, "data") as part:
            assert part.read(1 << 20) == DATA[: 1 << 20]
            with pytest.raises(BackproofError) as caught:
                part.read()
        assert caught.value.code == "segment_damaged"
        verdict = repo.verify(backup.id)
        assert (verdict.status, verdict.exit_code) == ("error", 2)


def test_written_into_a_file(repo: Backproof, tmp_path: Path) -> None:
    backup = repo.backup(DATA, no_encryption=True)
    written = repo.cat(backup.id, tmp_path / "out", part="data")
    assert (written.bytes, written.file) == (len(DATA), str(tmp_path / "out"))
    assert (tmp_path / "out").read_bytes() == DATA
    with pytest.raises(BackproofError) as caught:
        repo.cat(backup.id, tmp_path / "out", part="data")
    assert caught.value.code == "already_exists"
