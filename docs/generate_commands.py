"""Write docs/commands.md, the command reference, from the command line itself.

    python docs/generate_commands.py            # write it
    python docs/generate_commands.py --check    # exit with 1 if it is out of date

`make docs` writes it, and a test compares the committed page with a fresh one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Any

import typer

PAGE = Path(__file__).parent / "commands.md"
HEAD = """\
# Commands

<!-- Written by docs/generate_commands.py. Do not edit. -->

`monai-ctseg COMMAND --help` prints the same in the terminal. Facts go to stdout, notes and progress to stderr.
Exit codes: 0 done, 1 refused in one line, 2 wrong usage, 3 a fault of monai_ctseg itself, 130 stopped.
"""


def command_page() -> str:
    """The command reference as Markdown."""
    from monai_ctseg.cli import app

    root = typer.main.get_command(app)
    sections = [_section(context) for context in _walk(typer.Context(root, info_name="monai-ctseg"))]
    return "\n".join([HEAD, *sections])


def _walk(context: typer.Context) -> Iterator[typer.Context]:
    """A command and those below it, in the order of `--help`."""
    yield context
    group: Any = context.command
    for name in group.list_commands(context) if hasattr(group, "list_commands") else ():
        _, command, _ = group.resolve_command(context, [name])  # which loads it
        if not command.hidden:
            yield from _walk(typer.Context(command, info_name=name, parent=context))


def _section(context: typer.Context) -> str:
    command = context.command
    depth = context.command_path.count(" ")
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    parts = [f"{'#' * min(2 + max(depth - 1, 0), 4)} {context.command_path}", _prose(command.help), f"    {usage}"]
    shown = [p for p in command.get_params(context) if p.name != "help" and p.get_help_record(context)]
    for kind in ("argument", "option"):
        rows = [_row(p, context) for p in shown if p.param_type_name == kind]
        parts += [_table(kind, rows)] if rows else []
    parts += [f"    {line}" for line in _example(command)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _prose(text: str | None) -> str:
    """Help as paragraphs of one line each."""
    paragraphs = cleandoc((text or "").split("\f")[0]).split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _row(parameter: Any, context: typer.Context) -> str:
    """A parameter as `--help` shows it: name, type, help, default."""
    name, text = parameter.get_help_record(context)
    return f"| {_code(name)} | {_escape(' '.join(text.split()))} |"


def _code(text: str) -> str:
    """Text as code in a table; a bar would end the cell, so it is written as an entity."""
    return f"<code>{_escape(text)}</code>" if "|" in text else f"`{text}`"


def _escape(text: str) -> str:
    return text.replace("<", "&lt;").replace("|", "&#124;")


def _table(head: str, rows: list[str]) -> str:
    return "\n".join([f"| {head} | |", "| --- | --- |", *rows])


def _example(command: Any) -> list[str]:
    """The commands of an epilog, a line each; "Example:" or "or" stands before them."""
    lines = (command.epilog or "").splitlines()
    return [line.strip().removeprefix("Example:").removeprefix("or ").strip() for line in lines]


def main() -> int:
    """Write the page, or compare it."""
    page = command_page()
    if "--check" in sys.argv[1:]:
        return 0 if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page else 1
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
