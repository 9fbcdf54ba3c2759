"""The examples do what they say, on a real database."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from conftest import Cluster

from backproof import Backproof

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))

import airflow_task  # noqa: E402
import cron  # noqa: E402
import django_command  # noqa: E402


@pytest.fixture
def configured(folder: str, shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The environment that a host would have."""
    with Backproof(folder) as repo:
        recipient = repo.keygen(tmp_path / "key.txt").recipient
    assert recipient is not None
    monkeypatch.setenv("BACKPROOF_REPO", folder)
    monkeypatch.setenv("BACKPROOF_RECIPIENTS", recipient)
    monkeypatch.setenv("BACKPROOF_IDENTITY", str(tmp_path / "key.txt"))
    monkeypatch.setenv("DATABASE_URL", shop)
    return folder


def test_cron(configured: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert cron.nightly("app") == 0
    assert "healthy" in capsys.readouterr().out
    monkeypatch.setenv("BACKPROOF_REPO", configured + "/nowhere")
    assert cron.nightly("app") == 2
    assert "[no_repository]" in capsys.readouterr().err


def test_airflow(configured: str) -> None:
    backup = airflow_task.back_up("app")
    assert airflow_task.prove("app", backup)["status"] == "healthy"


def test_django(configured: str, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL")
    said: list[str] = []
    database = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "shop",
        "USER": "postgres",
        "HOST": str(cluster.folder),
        "PORT": "",
    }
    django_command.handle(database, said.append, name="django")
    assert said[0].startswith("backup ")
    with Backproof(configured, name="django") as repo:
        assert len(repo.list().backups) == 1
    with pytest.raises(ValueError, match="not PostgreSQL"):
        django_command.database_url({"ENGINE": "django.db.backends.sqlite3"})
    assert "p%40ss%3A%2F" in django_command.database_url({**database, "PASSWORD": "p@ss:/"})
