"""Refusals: a missing extra is named in one line, and the list of extras is the one of pyproject.toml."""

from __future__ import annotations

import re
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from monai_ctseg.errors import EXTRAS, MissingExtra, needs_extra

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"


@pytest.mark.parametrize(("extra", "module"), [(extra, module) for extra in EXTRAS for module in EXTRAS[extra]])
def test_a_missing_extra_says_what_to_install(monkeypatch, extra, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=re.escape(f'pip install "monai_ctseg[{extra}]"')), needs_extra(extra):
        import_module(module)


def test_another_missing_module_is_not_blamed_on_the_extra():
    with pytest.raises(ModuleNotFoundError), needs_extra("simulation"):
        import_module("no_such_module")


def test_extras_are_those_of_pyproject():
    declared = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"]
    for extra, modules in EXTRAS.items():
        assert tuple(re.split("[<>=]", line)[0] for line in declared[extra]) == modules
