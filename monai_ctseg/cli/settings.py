"""The option --set: values of a bundle's config."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

import typer


def parse_settings(words: Sequence[str], *, own: Container[str]) -> dict[str, Any]:
    """Parse the words of --set: ["patch=64", "cache=none"] -> {"patch": 64, "cache": "none"}.

    Args:
        words: ID=VALUE, where the value is YAML.
        own: Ids that have an option of their own and are refused here.

    Raises:
        typer.BadParameter: A word is not ID=VALUE, or its value is not YAML.
    """
    import yaml

    parsed = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (name and equals):
            raise typer.BadParameter(f"{word!r} is not ID=VALUE", param_hint="--set")
        if name in own:
            raise typer.BadParameter(f"{name} has an option of its own; see --help", param_hint="--set")
        try:
            parsed[name] = _number(yaml.safe_load(value))
        except yaml.YAMLError:
            raise typer.BadParameter(f"{value!r} is not YAML", param_hint="--set") from None
    return parsed


def _number(value: Any) -> Any:
    """YAML reads 1e-3 as text."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value
