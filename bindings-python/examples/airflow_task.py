"""The bodies of two Airflow tasks: plain functions, to be wrapped with `@task`.

    @task(retries=2)
    def backup() -> str:
        return airflow_task.back_up("app")

    @task
    def prove(backup: str) -> dict:
        return airflow_task.prove("app", backup)

    prove(backup())

Airflow ends a task by a signal or an exception in it: the work is then cancelled, and nothing half is left. Airflow forks workers:
a session is opened in the task, never at the top of the file.
"""

import logging
from typing import Any

from backproof import Backproof, Event, PartFinished

log = logging.getLogger(__name__)


class NotProven(Exception):
    """A backup is there, and its restore is not what was backed up."""


def back_up(name: str) -> str:
    """Backs up the configured database and returns the id, which the next task takes (XCom)."""

    def progress(event: Event) -> None:
        if isinstance(event, PartFinished):
            log.info("%s: %d bytes, %d stored", event.part, event.plain, event.stored)

    with Backproof(name=name, label="daily") as repo:
        return repo.backup(on_progress=progress).id


def prove(name: str, backup: str) -> dict[str, Any]:
    """Restores the backup into a scratch cluster and compares it row by row. Needs an identity and PostgreSQL's programs."""
    with Backproof(name=name) as repo:
        verdict = repo.verify(backup, level="identical")
    if verdict.exit_code == 2:
        raise NotProven(f"{backup}: {verdict.status}")
    return verdict.to_dict()
