"""The program comes along, and is the same."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import backproof

PROGRAM = [sys.executable, "-m", "backproof"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_it_does_what_it_does_elsewhere(tmp_path: Path) -> None:
    repo = (tmp_path / "repo").as_uri()
    assert run("init", "--repo", repo).returncode == 0
    made = run("backup", "--repo", repo, "--name", "app", "--no-encryption", "--json", "--", "printf", "hello")
    assert made.returncode == 0, made.stderr
    document = json.loads(made.stdout)
    listed = run("list", "--repo", repo, "--json")
    assert [backup["id"] for backup in json.loads(listed.stdout)["backups"]] == [document["id"]]
    assert run("cat", "latest", "data", "--repo", repo).stdout == "hello"
    # The same fields as from Python.
    with backproof.Backproof(repo) as session:
        assert session.list().backups[0].id == document["id"]
    assert run("verify", "--repo", repo, "--max-age", "1us").returncode == 2
    assert run("nonsense").returncode == 2
    assert run("--version").stdout == f"backproof {backproof.__version__}\n"


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals(folder: str, tmp_path: Path, number: signal.Signals, status: int) -> None:
    ready = tmp_path / "ready"
    arguments = ["backup", "--repo", folder, "--name", "app", "--no-encryption", "--", "sh", "-c", 'touch "$0"; exec sleep 1000', str(ready)]
    child = subprocess.Popen([*PROGRAM, *arguments], stderr=subprocess.PIPE, text=True, start_new_session=True)
    while not ready.exists():
        assert child.poll() is None
        time.sleep(0.01)
    child.send_signal(number)
    _, said = child.communicate(timeout=30)
    assert child.returncode == status, said


def test_called_as_a_function(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGINT)
    assert backproof.main(["--version"]) == 0
    assert capfd.readouterr().out == f"backproof {backproof.__version__}\n"
    assert backproof.main(["list", "--repo", (tmp_path / "none").as_uri()]) == 2
    assert signal.getsignal(signal.SIGINT) is before
