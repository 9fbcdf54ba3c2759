"""What the tests stand on: repositories in memory and in folders, and a real PostgreSQL of our own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from backproof import Backproof

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = ROOT / "scripts" / "cluster"


@pytest.fixture(autouse=True)
def nothing_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of whoever runs the tests reaches them."""
    for name in list(os.environ):
        if name.startswith(("BACKPROOF_", "PG", "DATABASE_URL", "SUPABASE_", "POSTGRES_", "AWS_", "R2_", "SENTRY_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def repo() -> Iterator[Backproof]:
    """A new repository in memory."""
    with Backproof("memory:///", name="app") as repo:
        repo.init()
        yield repo


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """The URL of a new repository in a folder."""
    url = (tmp_path / "repository").as_uri()
    with Backproof(url) as repo:
        repo.init()
    return url


class Cluster:
    """A throw-away PostgreSQL."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bindir = subprocess.run([CLUSTER, "bindir"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()

    def url(self, database: str) -> str:
        return f"postgres://postgres@/{database}?host={self.folder}"

    def sql(self, database: str, text: str) -> str:
        command = [f"{self.bindir}/psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", self.url(database), "-c", text]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Short paths: a socket's may have 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="bp-"))
    try:
        subprocess.run([CLUSTER, "start", folder], check=True, stdout=subprocess.DEVNULL)
        yield Cluster(folder)
    finally:
        subprocess.run([CLUSTER, "stop", folder], check=True, stdout=subprocess.DEVNULL)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def shop(cluster: Cluster) -> str:
    """The URL of a small database; nobody changes it."""
    cluster.sql("postgres", "CREATE DATABASE shop")
    cluster.sql(
        "shop",
        """CREATE TABLE orders (id int PRIMARY KEY, item text, price numeric(10,2));
           INSERT INTO orders SELECT i, CASE WHEN i % 10 > 0 THEN 'thing ' || i END, i * 1.5 FROM generate_series(1, 1000) i;
           CREATE VIEW cheap AS SELECT * FROM orders WHERE price < 10;
           CREATE SEQUENCE tickets; SELECT nextval('tickets')""",
    )
    return cluster.url("shop")
