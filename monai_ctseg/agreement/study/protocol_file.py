"""Protocol file: a protocol as YAML with a comment at every field, written for a researcher to edit."""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

import yaml

from monai_ctseg.agreement.study.protocol import OPEN_SECTION, StudyProtocol
from monai_ctseg.errors import ProtocolError

HEAD = f"""\
# Protocol of a validation study of monai-ctseg. Edit it, and agree on it, before anybody measures.
# `monai-ctseg study sheet` fixes it: from then on only the section "{OPEN_SECTION}" may change.
"""


def write_protocol(protocol: StudyProtocol, path: Path) -> None:
    """Write the YAML file; OSError where it cannot be written."""
    parts = [HEAD, *(_section_text(part.name, getattr(protocol, part.name)) for part in fields(protocol))]
    path.write_text("\n".join(parts), "utf-8")


def read_protocol(path: Path) -> StudyProtocol:
    """Read and check it. Raises ProtocolError, in one line that names the file and the field."""
    try:
        text = path.read_text("utf-8-sig")
        _no_doubles(yaml.compose(text, Loader=yaml.SafeLoader))
        return parse_protocol(yaml.safe_load(text))
    except OSError as error:
        raise ProtocolError(
            f"{path.name}: cannot be read ({error.strerror}); name the protocol that `monai-ctseg study plan` wrote"
        ) from None
    except UnicodeDecodeError:
        raise ProtocolError(f"{path.name}: is not UTF-8 text; save it as UTF-8") from None
    except yaml.YAMLError as error:
        raise ProtocolError(f"{path.name}: {_yaml_fault(error)}") from None
    except ProtocolError as error:
        raise ProtocolError(f"{path.name}: {error}") from None


def parse_protocol(content: Any) -> StudyProtocol:
    """Sections of fields, as YAML gives them -> protocol. Raises ProtocolError for unknown and missing names."""
    kinds = get_type_hints(StudyProtocol)
    sections = _names(content, list(kinds), "the protocol")
    return StudyProtocol(**{name: _section(name, kinds[name], sections[name]) for name in kinds})


def _section(name: str, kind: Any, content: Any) -> Any:
    given, kinds = _names(content, [part.name for part in fields(kind)], name), get_type_hints(kind)
    return kind(**{key: _plain(value, kinds[key]) for key, value in given.items()})


def _plain(value: Any, kind: Any) -> Any:
    """YAML's lists as tuples; whole numbers as floats where a float is meant, so that 2 and 2.0 are the same."""
    if isinstance(value, list):
        return tuple(value)
    whole = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if whole and kind in (float, float | None) else value


def _names(content: Any, wanted: list[str], place: str) -> Mapping[str, Any]:
    """Exactly the wanted names, or ProtocolError with the nearest right one."""
    if not isinstance(content, dict):
        raise ProtocolError(f"{place} is no list of `name: value`; `monai-ctseg study plan` writes one to start from")
    for key in content:
        if key not in wanted:
            near = difflib.get_close_matches(str(key), wanted, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"names are {', '.join(wanted)}"
            raise ProtocolError(f"{place} has an unknown name {str(key)!r}; {hint}")
    for key in wanted:
        if key not in content:
            raise ProtocolError(f"{place} lacks {key!r}; take it from what `monai-ctseg study plan` writes")
    return content


def _section_text(name: str, section: Any) -> str:
    title = (type(section).__doc__ or "").split("\n")[0]
    lines = [f"# {title}", f"{name}:"]
    for part in fields(section):
        lines += textwrap.wrap(part.metadata["comment"], 110, initial_indent="  # ", subsequent_indent="  # ")
        value = getattr(section, part.name)
        lines += _field_text(part.name, list(value) if isinstance(value, tuple) else value)
    return "\n".join(lines) + "\n"


def _field_text(name: str, value: Any) -> list[str]:
    text = yaml.safe_dump({name: value}, allow_unicode=True, width=110, default_flow_style=False, sort_keys=False)
    return textwrap.indent(text.rstrip("\n"), "  ").splitlines()


def _yaml_fault(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    where = f"line {mark.line + 1}: " if mark else ""
    return f"{where}is no YAML ({getattr(error, 'problem', None) or 'unreadable'}); quote text with : or # in it"


def _no_doubles(node: yaml.Node | None) -> None:
    """PyYAML takes the last of two equal names without a word."""
    if isinstance(node, yaml.MappingNode):
        names = [key.value for key, _ in node.value]
        for key, value in node.value:
            if names.count(key.value) > 1:
                raise ProtocolError(f"line {key.start_mark.line + 1}: {key.value!r} is there twice; keep one")
            _no_doubles(value)
