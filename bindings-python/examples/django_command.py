"""The body of a Django management command: `python manage.py backup`.

    class Command(BaseCommand):
        def handle(self, *args, **options):
            django_command.handle(settings.DATABASES["default"], self.stdout.write)

The database is that of Django's settings; its password goes through the environment of this one session, seen by nobody else.
"""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from backproof import Backproof

# What Django calls a setting, and what PostgreSQL's programs do.
NAMES = {"NAME": "dbname", "USER": "user", "HOST": "host", "PORT": "port", "PASSWORD": "password"}


def database_url(database: Mapping[str, Any]) -> str:
    """Django's settings of a database as a URL."""
    if not database["ENGINE"].endswith(("postgresql", "postgis")):
        raise ValueError(f"{database['ENGINE']} is not PostgreSQL")
    given = {name: str(database[key]) for key, name in NAMES.items() if database.get(key)}
    return "postgresql:///?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in given.items())


def handle(database: Mapping[str, Any], write: Callable[[str], object], **settings: Any) -> None:
    """Backs the database up, and says what was done. An error ends the command with its message and hint."""
    with Backproof(database=database_url(database), label="django", **settings) as repo:
        backup = repo.backup()
        write(f"backup {backup.id}: {backup.plain_bytes} bytes, {backup.stored_bytes} stored")
        for warning in backup.warnings:
            write(f"warning: {warning}")
