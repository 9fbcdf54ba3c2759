"""A real database: backed up, proven, restored, compared."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest
from conftest import Cluster

from backproof import AsyncBackproof, Backproof, BackproofError


@pytest.fixture
def proven(folder: str, shop: str, tmp_path: Path) -> Backproof:
    """A session with a key of its own, and one encrypted backup of the database."""
    with Backproof(folder) as first:
        key = first.keygen(tmp_path / "key.txt")
    assert key.recipient is not None
    repo = Backproof(
        folder, name="shop", database=shop, recipients=[key.recipient], identities=[tmp_path / "key.txt"], label="daily"
    )
    repo.backup()
    return repo


def test_to_identical_and_back(proven: Backproof, cluster: Cluster) -> None:
    with proven as repo:
        listed = repo.list().backups
        assert [(backup.series, backup.label, backup.kind) for backup in listed] == [("shop", "daily", "postgresql-dump")]
        verdict = repo.verify("latest", level="identical")
        assert (verdict.status, verdict.exit_code) == ("healthy", 0)
        rows = list(repo.rows("latest", "public.orders"))
        assert len(rows) == 1000
        assert rows[0] == {"id": "1", "item": "thing 1", "price": "1.50"}
        assert rows[9]["item"] is None
        with repo.open_part("latest", "dump") as dump:
            assert dump.read(5) == b"PGDMP"
        restored = repo.restore("latest", to=cluster.url("shop_again"))
        assert not restored.dry_run
        assert cluster.sql("shop_again", "SELECT count(*), sum(price) FROM orders") == "1000|750750.00"
        compared = repo.diff("latest")
        assert compared.equal
        drill = repo.drill("latest")
        assert drill.exit_code == 0 and len(drill.drills) == 1
        last = repo.list().backups[0].last_proof
        assert last is not None


def test_swap_and_back(proven: Backproof, cluster: Cluster) -> None:
    cluster.sql("postgres", "CREATE DATABASE live")
    cluster.sql("live", "CREATE TABLE orders (id int)")
    live = cluster.url("live")
    with proven as repo:
        planned = repo.restore("latest", to=live, swap=True, dry_run=True)
        assert planned.dry_run and planned.plan is not None and planned.plan.steps
        with pytest.raises(BackproofError) as caught:
            repo.restore("latest", to=live, swap=True)
        assert caught.value.code == "confirmation_required"
        repo.restore("latest", to=live, swap=True, yes=True)
        assert cluster.sql("live", "SELECT count(*) FROM orders") == "1000"
        repo.rollback(live, yes=True)
        assert cluster.sql("live", "SELECT count(*) FROM orders") == "0"


def test_for_asyncio(proven: Backproof, folder: str, shop: str, tmp_path: Path) -> None:
    async def run() -> None:
        async with AsyncBackproof(folder, name="shop", database=shop, identities=[tmp_path / "key.txt"]) as repo:
            rows = [row async for row in await repo.rows("latest", "public.orders")]
            assert len(rows) == 1000
            async with await repo.rows("latest", "orders") as some:
                assert (await anext(some))["id"] == "1"
            verdict = await repo.verify("latest", level="restorable")
            assert verdict.status == "healthy"

    proven.close()
    asyncio.run(run())


def test_without_postgresqls_programs_it_says_how_to_get_them(folder: str, shop: str, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with Backproof(folder, name="shop", database=shop, pg_bindir=empty) as repo:
        with pytest.raises(BackproofError) as caught:
            repo.backup(no_encryption=True)
        assert "pg_dump" in str(caught.value)
        # Reading and checking need none of them.
        repo.backup(b"x", no_encryption=True)


def test_a_wrong_database_is_an_error_with_a_code(folder: str, cluster: Cluster) -> None:
    with Backproof(folder, name="shop", database=cluster.url("nowhere")) as repo:
        with pytest.raises(BackproofError) as caught:
            repo.backup(no_encryption=True)
    assert caught.value.code in ("database_not_found", "connection_failed") or caught.value.code


def test_a_stranger_opens_it_with_stock_tools(proven: Backproof, tmp_path: Path) -> None:
    """Its own RESTORE.md comes with it."""
    with proven as repo:
        shown = repo.show("latest", restore_md=True)
        assert shown.restore_md is not None and "pg_restore" in shown.restore_md
        repo.cat("latest", tmp_path / "dump", part="dump")
    subprocess.run(["pg_restore", "--list", tmp_path / "dump"], check=True, stdout=subprocess.DEVNULL)
