"""Protocol file: a protocol as YAML, with a comment for every field, which a researcher edits."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import yaml

from monai_ctseg.agreement.study.checked import Section
from monai_ctseg.agreement.study.protocol import OPEN_SECTION, StudyProtocol
from monai_ctseg.errors import ProtocolError

HEAD = f"""\
# Protocol of a validation study of monai-ctseg. Edit it, and agree on it, before anybody measures.
# `monai-ctseg study sheet` fixes it: from then on only the section "{OPEN_SECTION}" may change.
"""


def write_protocol(protocol: StudyProtocol, path: Path) -> None:
    """Write the YAML file. Raises OSError where it cannot be written."""
    path.write_text(protocol_text(protocol), "utf-8")


def protocol_text(protocol: StudyProtocol) -> str:
    """The protocol as YAML, with its descriptions as comments."""
    return "\n".join([HEAD, *(_section_text(name, section) for name, section in dict(protocol).items())])


def read_protocol(path: Path) -> StudyProtocol:
    """Read and check a protocol.

    Raises:
        ProtocolError: In one line that names the file and the field.
    """
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
    """The protocol of a YAML file.

    Args:
        content: Sections of fields, as YAML gives them. All names must be there, those with a default too.

    Raises:
        ProtocolError: A name is unknown or missing, or a value is impossible.
    """
    if not isinstance(content, dict):
        raise ProtocolError("the protocol has no `name: value` lines; `monai-ctseg study plan` writes some")
    protocol = StudyProtocol(**{str(name): _named(section) for name, section in content.items()})
    for heading, section in (("the protocol", protocol), *dict(protocol).items()):
        for name, (attribute, _) in type(section).named_fields().items():
            if attribute not in section.model_fields_set:
                raise ProtocolError(f"{heading} lacks {name!r}; take it from what `monai-ctseg study plan` writes")
    return protocol


def _named(section: Any) -> Any:
    """A section whose names are text: YAML reads some, such as `on`, as other types."""
    return {str(name): value for name, value in section.items()} if isinstance(section, dict) else section


def _section_text(heading: str, section: Section) -> str:
    title = (type(section).__doc__ or "").split("\n")[0]
    lines = [f"# {title}", f"{heading}:"]
    for name, (attribute, field) in type(section).named_fields().items():
        lines += textwrap.wrap(field.description or "", 110, initial_indent="  # ", subsequent_indent="  # ")
        value = getattr(section, attribute)
        text = yaml.safe_dump(
            {name: list(value) if isinstance(value, tuple) else value},
            allow_unicode=True,
            width=110,
            default_flow_style=False,
            sort_keys=False,
        )
        lines += textwrap.indent(text.rstrip("\n"), "  ").splitlines()
    return "\n".join(lines) + "\n"


def _yaml_fault(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    where = f"line {mark.line + 1}: " if mark else ""
    return f"{where}is not YAML ({getattr(error, 'problem', None) or 'unreadable'}); quote text with : or # in it"


def _no_doubles(node: yaml.Node | None) -> None:
    """Refuse a name that is there twice: PyYAML silently takes the last one."""
    if isinstance(node, yaml.MappingNode):
        names = [key.value for key, _ in node.value]
        for key, value in node.value:
            if names.count(key.value) > 1:
                raise ProtocolError(f"line {key.start_mark.line + 1}: {key.value!r} is there twice; keep one")
            _no_doubles(value)
