"""Errors: codes, hints, built-in classes, pickling, the table."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path

import pytest

import backproof
from backproof import Backproof, BackproofAccessError, BackproofError, BackproofNotFoundError, BackproofTimeoutError


def test_an_error_has_code_message_and_hint(repo: Backproof) -> None:
    with pytest.raises(BackproofError) as caught:
        repo.show("20200101")
    error = caught.value
    assert error.code == "backup_not_found"
    assert "20200101" in error.message
    assert error.hint
    assert str(error) == f"{error.message} [backup_not_found]\nhint: {error.hint}"
    assert error.code in backproof.CODES


def test_the_builtin_that_fits(repo: Backproof, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        repo.show("latest")
    assert isinstance(caught.value, BackproofNotFoundError)
    with pytest.raises(FileNotFoundError) as none:
        Backproof((tmp_path / "nothing").as_uri()).list()
    assert isinstance(none.value, BackproofError) and none.value.code == "no_repository"


def test_the_classes_are_of_codes_that_exist() -> None:
    from backproof._errors import CLASSES

    assert set(CLASSES) <= set(backproof.CODES)
    assert issubclass(BackproofAccessError, PermissionError) and issubclass(BackproofTimeoutError, TimeoutError)


@pytest.mark.parametrize("code", ["io", "backup_not_found", "access_denied", "upload_stalled"])
def test_they_pickle(code: str) -> None:
    from backproof._errors import make_error

    error = make_error(code, "the message", "the hint")
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(again) is type(error)
        assert (again.code, again.message, again.hint, str(again)) == (code, "the message", "the hint", str(error))


def test_settings_that_are_wrong_are_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(BackproofError) as caught:
        Backproof("memory:///", name="Not A Name")
    assert caught.value.code == "invalid_name"
    with pytest.raises(BackproofError) as caught:
        Backproof("memory:///", config=tmp_path / "missing.toml")
    assert caught.value.code in backproof.CODES


def test_a_closed_session_says_so(repo: Backproof) -> None:
    repo.close()
    repo.close()
    with pytest.raises(BackproofError) as caught:
        repo.list()
    assert caught.value.code == "closed"


def test_the_table_has_every_code() -> None:
    api = json.loads((Path(__file__).parents[2] / "bindings" / "api.json").read_text())
    for code, described in api["errors"].items():
        entry = backproof.CODES[code]
        assert (entry.code, entry.meaning, entry.hint) == (code, described["meaning"], described["hint"])
