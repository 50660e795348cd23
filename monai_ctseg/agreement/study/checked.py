"""Sections of a protocol: pydantic models whose faults are ProtocolErrors of one line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from monai_ctseg.errors import ProtocolError

BOUNDS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
}


class Section(BaseModel):
    """Named values that are checked when it is made. Raises ProtocolError for the first fault."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        validate_default=True,
        validate_by_name=True,
        validate_by_alias=True,
    )

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ProtocolError(_fault(type(self), error.errors())) from None

    @classmethod
    def key(cls) -> str:
        """Its name in the file: data_collection for DataCollection."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    @classmethod
    def named_fields(cls) -> dict[str, tuple[str, FieldInfo]]:
        """Its fields by their name in the file, as (attribute, what is known of it)."""
        return {field.alias or name: (name, field) for name, field in cls.model_fields.items()}

    def replaced(self, **changes: Any) -> Self:
        """A copy with other values, checked as a new one is."""
        return type(self)(**{**dict(self), **changes})


def _fault(model: type[Section], errors: Sequence[ErrorDetails]) -> str:
    """The first fault in one line: what, where, what to do. Unknown names come first: they explain missing ones."""
    error = min(errors, key=lambda each: each["type"] != "extra_forbidden")
    kind, field, value, context = error["type"], str(error["loc"][0]), error["input"], error.get("ctx", {})
    whole = model.key() == "study_protocol"
    section = "the protocol" if whole else model.key()
    if kind == "extra_forbidden":
        names = list(model.named_fields())
        near = difflib.get_close_matches(field, names, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"names are {', '.join(names)}"
        return f"{section} has an unknown name {field!r}; {hint}"
    if kind == "missing":
        return f"{section} lacks {field!r}; take it from what `monai-ctseg study plan` writes"
    name = field if whole else f"{section}.{field}"
    if len(error["loc"]) > 1:
        return f"{name} has {value!r}; give a list of texts, in quotes if they look like numbers"
    if kind in BOUNDS:
        words, bound = BOUNDS[kind]
        return f"{name} is {value!r}; give a number {words} {context[bound]:g}"
    if kind == "too_short":
        return f"{name} has {context['actual_length']}; give at least {context['min_length']}"
    if kind == "string_pattern_mismatch":
        return f"{name} is empty; write there: {model.named_fields()[field][1].description}"
    if kind == "value_error":
        return f"{name} {context['error']}"
    return f"{name} is {value!r}; {_wanted(kind, context)}"


def _wanted(kind: str, context: dict[str, Any]) -> str:
    """What to give instead of a value of a wrong type."""
    if kind == "literal_error":
        choices = re.findall(r"'([^']*)'", context["expected"])
        return f"choose one of {', '.join(choices)}"
    if kind.startswith("int"):
        return "give a whole number"
    if kind.startswith(("float", "finite")):
        return "give a number"
    if kind == "tuple_type":
        return "give a list of texts, in quotes if they look like numbers"
    if kind == "model_type":
        return "write `name: value` lines below it, as `monai-ctseg study plan` does"
    return "give text, in quotes if it looks like a number or a date"
