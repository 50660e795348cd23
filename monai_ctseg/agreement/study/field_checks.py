"""Field checks: types and bounds of a protocol's fields, by the rules in their metadata."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, get_type_hints

from monai_ctseg.errors import ProtocolError

_BOUNDS: tuple[tuple[str, str, Callable[[float, float], bool]], ...] = (
    ("above", "above", operator.gt),
    ("least", "at least", operator.ge),
    ("below", "below", operator.lt),
    ("most", "at most", operator.le),
)


def check_section(name: str, section: Any) -> None:
    """Types and bounds of all fields of a section."""
    kinds = get_type_hints(type(section))
    for part in fields(section):
        _check(f"{name}.{part.name}", getattr(section, part.name), kinds[part.name], part.metadata)


def _check(place: str, value: Any, kind: Any, rules: Mapping[str, Any]) -> None:
    if value is None and kind == float | None:
        return
    if kind is str:
        _check_text(place, value, rules)
    elif kind == tuple[str, ...]:
        _check_texts(place, value, rules)
    else:
        _check_number(place, value, kind, rules)


def _check_text(place: str, value: Any, rules: Mapping[str, Any]) -> None:
    if not isinstance(value, str):
        raise ProtocolError(f"{place} is {value!r}; give text, in quotes if it looks like a number or a date")
    choices = rules.get("choices", ())
    if choices and value not in choices:
        raise ProtocolError(f"{place} is {value!r}; choose one of {', '.join(choices)}")
    if rules.get("filled") and not value.strip():
        raise ProtocolError(f"{place} is empty; write there: {rules['comment']}")


def _check_texts(place: str, value: Any, rules: Mapping[str, Any]) -> None:
    if not isinstance(value, tuple) or not all(isinstance(item, str) and item.strip() for item in value):
        raise ProtocolError(f"{place} is {value!r}; give a list of texts, in quotes if they look like numbers")
    if len(value) < rules.get("fewest", 0):
        raise ProtocolError(f"{place} has {len(value)}; give at least {rules['fewest']}")


def _check_number(place: str, value: Any, kind: Any, rules: Mapping[str, Any]) -> None:
    types = (int,) if kind is int else (int, float)
    if isinstance(value, bool) or not isinstance(value, types) or not math.isfinite(value):
        raise ProtocolError(f"{place} is {value!r}; give a {'whole ' if kind is int else ''}number")
    for rule, sign, good in _BOUNDS:
        if rule in rules and not good(value, rules[rule]):
            raise ProtocolError(f"{place} is {value!r}; give a number {sign} {rules[rule]}")
