#!/usr/bin/env python3
"""A nightly backup from cron: backs up, checks, prints a line, and ends with a status that cron's mail shows.

    15 2 * * *  BACKPROOF_REPO=s3://acme-backups/prod BACKPROOF_RECIPIENTS=age1… DATABASE_URL=postgres://… /opt/cron.py app

Settings come from the environment, or from /etc/backproof/backproof.toml. The host needs no secret key: what it writes it cannot read.
"""

import sys

from backproof import Backproof, BackproofError


def nightly(name: str) -> int:
    """Backs up the configured database as a series of this name. Returns 0 when all is well, 1 with warnings, 2 when it failed."""
    try:
        with Backproof(name=name, label="daily") as repo:
            backup = repo.backup()
            verdict = repo.verify(backup.id, level="intact")
    except BackproofError as error:
        if error.code == "store_unavailable":
            print("the store cannot be reached; the next run tries again", file=sys.stderr)
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    for warning in backup.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print(f"{backup.id}: {backup.plain_bytes} bytes in {backup.seconds:.1f} s, {verdict.status}")
    return max(verdict.exit_code, 1 if backup.warnings else 0)


if __name__ == "__main__":
    sys.exit(nightly(*sys.argv[1:]))
