"""The behaviour suite of all languages (bindings/behaviour), in Python."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Cluster

from backproof import CODES, AsyncBackproof, Backproof, BackproofError
from backproof._json import Record

FOLDER = ROOT / "bindings" / "behaviour"
SUITES = {file.stem: json.loads(file.read_text()) for file in sorted(FOLDER.glob("*.json"))}
CASES = {f"{file}: {case['name']}": (case, suite["shapes"]) for file, suite in SUITES.items() for case in suite["cases"]}
STEPS = [step for case, _ in CASES.values() for step in case["steps"]]

PLACEHOLDERS = {
    "id": r"\d{8}T\d{6}Z-[0-9a-f]{16}",
    "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z",
    "stamp": r"\d{8}T\d{6}Z",
    "sha256": r"[0-9a-f]{64}",
    "number": r"\d+",
    "text": r"(?s:.+)",
}
# What a call gives, by its type.
ANSWERS = {"dict": "expect", "list": "rows", "str": "bytes"}


class SourceBroke(Exception):
    """What a source that fails throws."""


def filled(value: Any, known: Mapping[str, Any]) -> Any:
    """The value, with what is known in the place of each ``${name}``."""
    if isinstance(value, dict):
        return {filled(key, known): filled(inner, known) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, known) for inner in value]
    if not isinstance(value, str):
        return value

    def of(name: str) -> Any:
        found: Any = known
        for key in name.split("."):
            found = found[int(key)] if isinstance(found, list) else found[key]
        return found

    if whole := re.fullmatch(r"\$\{([^}]+)\}", value):
        return of(whole[1])
    return re.sub(r"\$\{([^}]+)\}", lambda found: str(of(found[1])), value)


def differences(expected: Any, found: Any, at: str) -> Iterator[str]:
    """Where what was found is not what was expected: the path, and both values."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in sorted({*expected, *found}):
            if key not in found:
                yield f"{at}.{key}: is missing; expected {expected[key]!r}"
            elif key not in expected:
                yield f"{at}.{key}: is not expected: {found[key]!r}"
            else:
                yield from differences(expected[key], found[key], f"{at}.{key}")
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for number, (one, other) in enumerate(zip(expected, found)):
            yield from differences(one, other, f"{at}.{number}")
    elif not same(expected, found):
        yield f"{at}: expected {expected!r}, found {found!r}"


def same(expected: Any, found: Any) -> bool:
    if expected in ("$number", "$seconds"):
        kinds = (int,) if expected == "$number" else (int, float)
        return isinstance(found, kinds) and not isinstance(found, bool) and found >= 0
    if isinstance(expected, str) and isinstance(found, str):
        pieces = re.split(r"\$([a-z0-9]+)", expected)
        pattern = "".join(PLACEHOLDERS[piece] if at % 2 else re.escape(piece) for at, piece in enumerate(pieces))
        return re.fullmatch(pattern, found) is not None
    return isinstance(expected, bool) == isinstance(found, bool) and bool(expected == found)


def holds(path: Path) -> Any:
    """The text of a file, or the names of all files of a folder."""
    if path.is_file():
        return path.read_text()
    return sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.is_file())


def pieces(source: Mapping[str, Any]) -> Iterator[bytes]:
    for _ in range(source.get("times", 1)):
        yield from (piece.encode() for piece in source["pieces"])
    if "fails" in source:
        raise SourceBroke(source["fails"])


class Run:
    """One case, while it runs."""

    def __init__(self, case: Mapping[str, Any], shapes: Mapping[str, Any], folder: Path, cluster: Cluster) -> None:
        self.settings = {"env": {"PATH": os.environ["PATH"]}, "configuration": {}, **case.get("settings", {})}
        self.cluster = cluster
        self.session: Backproof | None = None
        self.known: dict[str, Any] = {
            "dir": str(folder),
            "root": str(ROOT),
            "socket": str(cluster.folder),
            "bindir": cluster.bindir,
            "path": os.environ["PATH"],
        }
        self.known |= filled(shapes, self.known)

    def step(self, step: dict[str, Any]) -> Iterator[str]:
        own = "settings" in step
        settings = {**self.settings, **step.get("settings", {})}
        step = filled({key: value for key, value in step.items() if key != "settings"}, self.known)
        if "setup" in step:
            self.set_up(step["setup"])
        elif "query" in step:
            yield from differences(step["gives"], self.cluster.sql(step["database"], step["query"]), "gives")
        elif "file" in step:
            yield from differences(step["holds"], holds(Path(step["file"])), "holds")
        else:
            given = {name: value for name, value in filled(settings, self.known).items() if value is not None}
            yield from self.verb(step, given, own)

    def set_up(self, setup: Mapping[str, Any]) -> None:
        for to, what in setup.get("copy", {}).items():
            shutil.copytree(what, to)
        for file, text in setup.get("write", {}).items():
            Path(file).write_text(text)
        for file in setup.get("remove", []):
            Path(file).unlink()
        for database, statement in setup.get("sql", []):
            self.cluster.sql(database, statement)

    def verb(self, step: dict[str, Any], settings: dict[str, Any], own: bool) -> Iterator[str]:
        error: dict[str, Any] | None = None
        result: Any = None
        try:
            if step.get("cancelled"):
                asyncio.run(cancelled(step, settings))
                return
            if own:
                with Backproof(**settings) as session:
                    result = called(session, step)
            else:
                self.session = self.session or Backproof(**settings)
                result = called(self.session, step)
        except BackproofError as caught:
            transient = CODES[caught.code].transient
            error = {"code": caught.code, "hint": caught.hint, "transient": transient, "message": caught.message}
        except SourceBroke:
            # What an iterable throws comes out of the call as it is.
            error = step["error"] if step.get("error", {}).get("code") == "source_failed" else {"code": "SourceBroke"}
        [key] = {"expect", "bytes", "rows", "error"} & step.keys()
        found = {"error": error} if error else {ANSWERS[type(result).__name__]: result}
        yield from differences({key: step[key]}, found, step["verb"])
        if "keep" in step:
            self.known[step["keep"]] = result


def called(session: Backproof, step: Mapping[str, Any]) -> Any:
    """Calls the verb, as Python has it."""
    verb, options = step["verb"], dict(step.get("options", {}))
    if verb == "cat" and "output" not in options:
        if "table" in options:
            return list(session.rows(**options))
        with session.open_part(**options) as part:
            return part.read().decode()
    if "source" in step:
        options["source"] = pieces(step["source"])
    result: Record = getattr(session, verb)(*options.pop("ids", ()), **options)
    return json.loads(json.dumps(result.to_dict()))


async def cancelled(step: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Cancels the verb when it has read all of its source, which does not end."""

    async def source() -> AsyncIterator[bytes]:
        for piece in pieces(step["source"]):
            yield piece
        task.cancel()
        await asyncio.Event().wait()

    async with AsyncBackproof(**settings) as session:
        task = asyncio.ensure_future(getattr(session, step["verb"])(source=source(), **step["options"]))
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("name", CASES)
def test_behaviour(name: str, tmp_path: Path, cluster: Cluster) -> None:
    case, shapes = CASES[name]
    run = Run(case, shapes, tmp_path, cluster)
    try:
        for number, step in enumerate(case["steps"], 1):
            if found := list(run.step(step)):
                pytest.fail(f"step {number}:\n" + "\n".join(found), pytrace=False)
    finally:
        if run.session:
            run.session.close()


@pytest.mark.parametrize("verb", json.loads((FOLDER.parent / "api.json").read_text())["verbs"])
def test_every_verb_is_in_it(verb: str) -> None:
    calls = [step for step in STEPS if step.get("verb") == verb]
    assert any("error" not in step for step in calls), f"no step has {verb} succeed"
    assert any("error" in step for step in calls), f"no step has {verb} fail"
