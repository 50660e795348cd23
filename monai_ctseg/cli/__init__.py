"""The command line: parses, calls the library, prints.

stdout is data, stderr is log and progress. Exit codes: 0 done; 1 refused, in one line; 2 wrong usage; 3 a bug of ours.
"""

from __future__ import annotations

import atexit
import gc
import io
import signal
import sys
import threading
import traceback
from collections.abc import Sequence

import typer

from monai_ctseg.cli.commands import Commands
from monai_ctseg.cli.console import INTERRUPTED, options, refuse
from monai_ctseg.errors import AmbiguousScan, CtsegError, output_error

app = typer.Typer(
    name="monai-ctseg",
    cls=Commands,
    help="Finds metal in CT scans: statistics, metal masks, and U-Nets trained on them. Not a medical device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.callback()(options)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with one of the codes above."""
    _prepare()
    try:
        app(arguments, prog_name="monai-ctseg")
    except CtsegError as error:
        refuse(str(error), table=error.table if isinstance(error, AmbiguousScan) else "")
        sys.exit(1)
    except (KeyboardInterrupt, SystemExit) as end:
        if isinstance(end, SystemExit) and end.code != INTERRUPTED:
            raise
        refuse("stopped")
        sys.exit(INTERRUPTED)
    except MemoryError:
        refuse("not enough memory for this scan; close other programs, or use a machine with more")
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        refuse(str(output_error(error, "the output")))
        sys.exit(1)
    except Exception:
        traceback.print_exc()
        refuse("this is a fault of monai-ctseg itself; please report the lines above, without patient data")
        sys.exit(3)


ALLOCATIONS = 50_000
"""Between two searches for garbage, instead of Python's 700: imports and headers make many objects and no garbage."""


def _prepare() -> None:
    """SIGTERM cleans up as Ctrl-C does; what the terminal cannot show is written out."""
    gc.set_threshold(ALLOCATIONS)
    atexit.register(gc.freeze)  # what still lives when the process ends is not searched for garbage
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
