"""The command line: parses, calls the library, prints.

stdout is data, stderr is log and progress. Exit codes: 0 done; 1 refused, in one line; 2 wrong usage; 3 a bug of ours.
"""

from __future__ import annotations

import io
import signal
import sys
import threading
import traceback
from collections.abc import Sequence

import typer

from monai_ctseg.cli.agreement import register as register_agreement
from monai_ctseg.cli.bundles import register as register_bundles
from monai_ctseg.cli.console import INTERRUPTED, options, refuse
from monai_ctseg.cli.demo import register as register_demo
from monai_ctseg.cli.evaluate import register as register_evaluate
from monai_ctseg.cli.infer import register as register_infer
from monai_ctseg.cli.labels import register as register_labels
from monai_ctseg.cli.measure import register as register_measure
from monai_ctseg.cli.phantom import register as register_phantom
from monai_ctseg.cli.prepare import register as register_prepare
from monai_ctseg.cli.series import register as register_series
from monai_ctseg.cli.simulate import register as register_simulate
from monai_ctseg.cli.stats import register as register_stats
from monai_ctseg.cli.study import register as register_study
from monai_ctseg.cli.train import register as register_train
from monai_ctseg.errors import AmbiguousScan, CtsegError

app = typer.Typer(
    name="monai-ctseg",
    help="Finds metal in CT scans: statistics, metal masks, and U-Nets trained on them. Not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.callback()(options)
for register in (
    register_series,
    register_stats,
    register_labels,
    register_prepare,
    register_train,
    register_infer,
    register_evaluate,
    register_bundles,
    register_measure,
    register_agreement,
    register_study,
    register_phantom,
    register_simulate,
    register_demo,
):
    register(app)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with one of the codes above."""
    _prepare()
    try:
        app(arguments)
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
        refuse(f"the output cannot be written ({error.strerror or error})")
        sys.exit(1)
    except Exception:
        traceback.print_exc()
        refuse("this is a fault of monai-ctseg itself; please report the lines above, without patient data")
        sys.exit(3)


def _prepare() -> None:
    """SIGTERM cleans up as Ctrl-C does; what the terminal cannot show is written out."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
