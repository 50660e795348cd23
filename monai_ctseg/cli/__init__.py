"""The command line: parses, calls the library, prints.

stdout is data, stderr is log and progress. Exit codes: 0 done; 1 refused, in one line; 2 wrong usage; 3 a bug of ours.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence

import typer

from monai_ctseg.cli import console, demo, evaluate, infer, labels, phantom, series, stats, train
from monai_ctseg.errors import AmbiguousScan, CtsegError

app = typer.Typer(
    name="monai-ctseg",
    help="Finds metal in CT scans: statistics, metal masks, and U-Nets trained on them. Not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.callback()(console.options)
for command in (series, stats, labels, train, infer, evaluate, phantom, demo):
    command.register(app)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with one of the codes above."""
    try:
        app(arguments)
    except CtsegError as error:
        console.refuse(str(error), table=error.table if isinstance(error, AmbiguousScan) else "")
        sys.exit(1)
    except KeyboardInterrupt:
        console.refuse("stopped; nothing was left half-written")
        sys.exit(130)
    except MemoryError:
        console.refuse("not enough memory for this scan; close other programs, or use a machine with more")
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except Exception:
        traceback.print_exc()
        console.refuse("this is a fault of monai-ctseg itself; please report the lines above, without patient data")
        sys.exit(3)
