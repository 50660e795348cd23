"""The table of commands, and the group that imports a command's module when the command is called.

A command named NAME is defined in `monai_ctseg/cli/NAME.py`, in a Typer instance named `app`.
A module with several commands becomes a group of its own. Where a command has many options, the module's PANELS
say under which title of `--help` each stands.
"""

from __future__ import annotations

import gc
from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

from typer import Context
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

PYTHONS_OWN = gc.get_threshold()
"""Allocations between two searches for garbage, before the command line asks for fewer searches."""


class Entry(NamedTuple):
    """A command as the list in `--help` shows it; `help` is the first sentence of its own help."""

    name: str
    panel: str
    help: str


SCANS, NETWORKS, SIMULATION, HIPS = "Scans", "Networks", "Simulation", "Hips and agreement"

COMMANDS = (
    Entry("series", SCANS, "List the CT series in a folder."),
    Entry("stats", SCANS, "Measure a scan: intensities, geometry, saturation, repairs."),
    Entry("labels", SCANS, "Find metal by threshold or half-maximum, and write masks."),
    Entry("infer", NETWORKS, "Find metal with a network, and write masks."),
    Entry("evaluate", NETWORKS, "Compare masks, or a network's masks with the truth of a dataset."),
    Entry("prepare", NETWORKS, "Make a training dataset from the CT series in some folders."),
    Entry("train", NETWORKS, "Train a U-Net, and validate it on unseen slices or patients."),
    Entry("bundles", NETWORKS, "List the bundles that --bundle takes by name."),
    Entry(
        "simulate",
        SIMULATION,
        "Simulate a CT of a body with metal, and its true mask.",
    ),
    Entry("demo", SIMULATION, "Run each step on a simulated CT, or on a scan of your own."),
    Entry("measure", HIPS, "Measure hips, native or replaced, with intervals."),
    Entry("agreement", HIPS, "Report how well two methods of measurement agree."),
    Entry("study", HIPS, "Plan a validation study, make blind sheets, analyse them."),
)


COMPLETION_HELP = {
    "install_completion": "Set up Tab completion in this shell.",
    "show_completion": "Print the script of Tab completion for this shell.",
}


class Commands(TyperGroup):
    """Lists the table's commands without importing them; imports one when it is called."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.commands = {
            entry.name: TyperCommand(entry.name, help=entry.help, rich_help_panel=entry.panel) for entry in COMMANDS
        }

    def get_params(self, ctx: Any) -> list[Any]:
        """The options before a command's name; shorter than Typer's own."""
        found: list[Any] = list(super().get_params(ctx))
        for option in found:
            option.help = COMPLETION_HELP.get(option.name or "", option.help)
        return _without_bool(found)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the first argument names, loaded; also asked when a shell completes its options."""
        name, listed, rest = super().resolve_command(ctx, args)
        return name, listed and load_command(name or ""), rest


def load_command(name: str) -> TyperCommand | TyperGroup:
    """Import a command.

    Args:
        name: one of the table's names.

    Returns:
        The command, or the group where its module has several, ready to be called or documented.
    """
    module = import_module(f"monai_ctseg.cli.{name}")
    group = get_group(module.app)
    if name in (entry.name for entry in COMMANDS if entry.panel == NETWORKS):
        gc.set_threshold(*PYTHONS_OWN)  # a network's tensors are large garbage
    loaded: Any = group.commands.get(name, group)
    loaded.name = name
    for command in (loaded, *getattr(loaded, "commands", {}).values()):
        command.help = _flowing(command.help or "")
        parameters = _without_bool(list(command.get_params(Context(command))))
        _into_panels(parameters, getattr(module, "PANELS", {}))
    return loaded  # type: ignore[no-any-return]


def _without_bool(parameters: list[Any]) -> list[Any]:
    """The parameters, where flags say no type: "bool" tells nothing."""
    for parameter in parameters:
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
    return parameters


def _into_panels(parameters: list[Any], panels: Mapping[str, tuple[str, ...]]) -> None:
    """Show options under the titles of a module's PANELS; the others stay under "Options"."""
    titles = {name: title for title, names in panels.items() for name in names}
    for parameter in parameters:
        parameter.rich_help_panel = titles.get(parameter.name, parameter.rich_help_panel)


def _flowing(text: str) -> str:
    """Each paragraph on one line, so that it is wrapped where the terminal ends."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))
