"""JSON documents to typed values and back, by the types' own annotations."""

from __future__ import annotations

import copy
import dataclasses
import re
import types
import typing
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from os import PathLike, fspath
from typing import Any, ClassVar, Literal, TypeVar, Union

__all__ = ["Record"]

T = TypeVar("T")
Decode = Callable[[Any], Any]


class Record:
    """A typed result: frozen, compared by its fields."""

    __slots__ = ("_document",)

    # What it was made of: a time in it may be finer than a datetime, and null is not the same as a field that is not there.
    _document: Mapping[str, Any]

    # Python's names of fields whose own are words of the language.
    _names: ClassVar[Mapping[str, str]] = {}

    def to_dict(self) -> dict[str, Any]:
        """The document that it was made of, as the library gave it: plain values that ``json.dumps`` takes, times as text."""
        if hasattr(self, "_document"):
            return copy.deepcopy(dict(self._document))
        fields = dataclasses.fields(typing.cast(Any, self))
        names = self._names
        return {names.get(field.name, field.name): plain(getattr(self, field.name)) for field in fields}

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return decode, (type(self), self.to_dict())


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, Record):
        return value.to_dict()
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, datetime):
        return _timestamp(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, PathLike):
        return fspath(value)
    return value


def _timestamp(value: datetime) -> str:
    if value.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone: say which one, e.g. datetime.now(timezone.utc)")
    return value.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


def options(given: Mapping[str, Any]) -> dict[str, Any]:
    """What was said of a verb's options: nothing stands for the default."""
    said = {name: plain(value) for name, value in given.items() if value is not None and value is not False}
    return {name: value for name, value in said.items() if value != []}


_TIME = re.compile(r"(\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2})(?:\.(\d+))?(Z|z|[+-]\d{2}:\d{2})(?:\[.*\])?")


def parse_time(text: str) -> datetime:
    """A time of a document: RFC 3339, to the microsecond."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no time")
    fraction = (found[2] or "")[:6].ljust(6, "0")
    zone = "+00:00" if found[3] in "Zz" else found[3]
    return datetime.fromisoformat(f"{found[1].replace(' ', 'T').upper()}.{fraction}{zone}")


def decode(kind: type[T], document: Any) -> T:
    """A document as a value of this type. Fields that this version does not know are left out."""
    value: T = _decoder(typing.cast(Any, kind))(document)
    return value


def _as_is(value: Any) -> Any:
    return value


@lru_cache(maxsize=None)
def _decoder(kind: Any) -> Decode:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is datetime:
        return parse_time
    if kind is date:
        return date.fromisoformat
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _record(kind)
    if origin in (list, tuple) and origin is list:
        item = _decoder(arguments[0])
        return lambda values: [item(value) for value in values]
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            item = _decoder(arguments[0])
            return lambda values: tuple(item(value) for value in values)
        items = [_decoder(argument) for argument in arguments]
        return lambda values: tuple(item(value) for item, value in zip(items, values))
    if origin in (dict, Mapping) or origin is typing.get_origin(Mapping[str, str]):
        item = _decoder(arguments[1])
        return lambda values: {key: item(value) for key, value in values.items()}
    if origin in (Union, types.UnionType):
        return _union([argument for argument in arguments if argument is not type(None)])
    return _as_is


def _record(kind: type[Any]) -> Decode:
    hints = typing.get_type_hints(kind)
    names = kind._names if issubclass(kind, Record) else {}
    fields: list[tuple[str, str, Any]] = [
        (field.name, names.get(field.name, field.name), hints[field.name]) for field in dataclasses.fields(typing.cast(Any, kind))
    ]
    decoders: list[tuple[str, str, Decode]] = []

    def make(document: Any) -> Any:
        if not decoders:  # at first use, since types refer to each other
            decoders.extend((name, key, _decoder(hint)) for name, key, hint in fields)
        made = kind(**{name: take(document[key]) for name, key, take in decoders if key in document})
        if issubclass(kind, Record):
            object.__setattr__(made, "_document", document)
        return made

    return make


def _union(kinds: list[Any]) -> Decode:
    """The first of them that fits, by the constants and the fields that each must have."""
    if len(kinds) == 1:
        only = _decoder(kinds[0])
        return lambda value: None if value is None else only(value)
    records = [kind for kind in kinds if isinstance(kind, type) and dataclasses.is_dataclass(kind)]
    others = [kind for kind in kinds if kind not in records]
    times = datetime in others

    def choose(value: Any) -> Any:
        if isinstance(value, Mapping):
            for kind in records:
                if _fits(kind, value):
                    return _decoder(kind)(value)
        elif times and isinstance(value, str) and _TIME.fullmatch(value):
            return parse_time(value)
        return value

    return choose


def _fits(kind: type[Any], document: Mapping[str, Any]) -> bool:
    hints = typing.get_type_hints(kind)
    names = kind._names if issubclass(kind, Record) else {}
    for field in dataclasses.fields(typing.cast(Any, kind)):
        key = names.get(field.name, field.name)
        hint = hints[field.name]
        if typing.get_origin(hint) is Literal and len(typing.get_args(hint)) == 1:
            if document.get(key) != typing.get_args(hint)[0]:
                return False
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            if key not in document:
                return False
    return True
