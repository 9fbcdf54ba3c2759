"""The package has all that the library has, and says it in types."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import json
import pickle
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

import backproof
from backproof import AsyncBackproof, Backproof
from backproof._json import decode, options, parse_time

API = json.loads((Path(__file__).parents[2] / "bindings" / "api.json").read_text())
# Made of `cat`, which without a file to write gives a stream.
OWN = {"open_part", "rows", "close"}


def definition(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = API["definitions"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


@pytest.mark.parametrize("form", [Backproof, AsyncBackproof])
def test_every_verb_with_every_option(form: type) -> None:
    public = {name for name in dir(form) if not name.startswith("_")}
    assert public == set(API["verbs"]) | OWN
    for verb, described in API["verbs"].items():
        method = getattr(form, verb)
        assert inspect.iscoroutinefunction(method) == (form is AsyncBackproof)
        parameters = set(inspect.signature(method).parameters)
        for option in definition(described["options"]).get("properties", {}):
            assert option in parameters, f"{verb} {option}"
            assert f"{option}: " in (method.__doc__ or ""), f"{verb} {option} is not explained"
    settings = set(inspect.signature(form).parameters)
    assert set(definition(API["settings"])["properties"]) <= settings


def test_every_field_of_every_result() -> None:
    for verb, described in API["verbs"].items():
        result = definition(described["result"])
        name = described["result"]["$ref"].rsplit("/", 1)[1]
        fields = {field.name for field in dataclasses.fields(getattr(backproof, name))}
        assert set(result["properties"]) == fields, verb


def test_results_are_frozen_and_readable(repo: Backproof) -> None:
    backup = repo.backup(b"x", no_encryption=True)
    with pytest.raises(dataclasses.FrozenInstanceError):
        backup.id = "other"  # type: ignore[misc]
    assert not hasattr(backup, "__dict__")
    assert repr(backup).startswith("BackupResult(")
    assert backup.snapshot.tzinfo is timezone.utc
    assert abs(datetime.now(timezone.utc) - backup.snapshot) < timedelta(minutes=5)
    shown = repo.show("latest")
    for result in (backup, repo.list(), shown, repo.verify(), repo.config()):
        document = result.to_dict()
        json.dumps(document)
        assert decode(type(result), document) == result  # there and back
    assert shown.manifest.id == backup.id


def test_options_in_pythons_own_types(repo: Backproof, tmp_path: Path) -> None:
    repo.backup(b"x", no_encryption=True)
    for age in (timedelta(hours=1), 3600, 3600.0, "1h"):
        assert repo.verify(max_age=age).status == "healthy"
    assert repo.verify(max_age=timedelta(microseconds=1)).status != "healthy"
    for size in (1, "1B"):
        assert repo.verify(min_size=size).status == "healthy"
    before = repo.restore("latest", to_directory=tmp_path / "a", before=datetime.now(timezone.utc) + timedelta(hours=1))
    assert not before.dry_run
    assert (tmp_path / "a" / "data").read_bytes() == b"x"
    with pytest.raises(ValueError, match="no time zone"):
        repo.restore("latest", to_directory=tmp_path / "b", before=datetime.now())


def test_what_is_not_said_is_not_sent() -> None:
    assert options({"a": None, "b": False, "c": [], "d": (), "e": 0, "f": "x", "g": Path("p")}) == {
        "e": 0,
        "f": "x",
        "g": "p",
    }


@pytest.mark.parametrize(
    "text, expected",
    [
        ("2026-11-20T02:00:00Z", datetime(2026, 11, 20, 2, tzinfo=timezone.utc)),
        ("2026-11-20T02:00:00.5Z", datetime(2026, 11, 20, 2, 0, 0, 500_000, tzinfo=timezone.utc)),
        ("2026-11-20T02:00:00.123456789Z", datetime(2026, 11, 20, 2, 0, 0, 123_456, tzinfo=timezone.utc)),
        ("2026-11-20T02:00:00+02:00", datetime(2026, 11, 20, 0, tzinfo=timezone.utc)),
    ],
)
def test_times(text: str, expected: datetime) -> None:
    assert parse_time(text) == expected


def test_fields_of_a_newer_version_are_left_out() -> None:
    assert decode(backproof.Warned, {"message": "x", "newer": 1}) == backproof.Warned("x")


def test_the_version() -> None:
    assert backproof.__version__ == API["version"]


def test_every_type_is_exported() -> None:
    for module in (backproof._types, backproof._progress):
        assert set(module.__all__) <= set(backproof.__all__)
    assert sorted(set(backproof.__all__)) == backproof.__all__


def test_a_document_comes_out_as_it_went_in() -> None:
    # Nothing is not null, and a nanosecond is not lost.
    document = {"failed": False, "reached": None, "time": "2026-11-20T02:00:00.123456789Z"}
    proof = decode(backproof.LastProof, document)
    for again in (proof, pickle.loads(pickle.dumps(proof)), copy.copy(proof)):
        assert again == proof and again.to_dict() == document
    made = decode(backproof.KeygenResult, {"recipient": "age1"})
    assert made.to_dict() == {"recipient": "age1"} and made.fingerprint is None
    by_hand = backproof.LastProof(failed=False, reached=None, time=proof.time)
    assert by_hand.to_dict()["time"] == "2026-11-20T02:00:00.123456Z"
