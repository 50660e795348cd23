"""What MONAI, Ignite and torch raise, as our refusals in one line; and their log and warnings silenced."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monai_ctseg.errors import BundleError, CtsegError, OutputError
from monai_ctseg.errors import writing_errors as system_errors

_NOISY = ("monai", "ignite")


@contextmanager
def config_errors(bundle: Path) -> Iterator[None]:
    """Report faults in a bundle's config.

    Args:
        bundle: The folder to name.

    Raises:
        BundleError: Anything that the config raised, with its first cause. Our own refusals, the system's errors and
            MemoryError pass as they are.

    """
    try:
        with own_errors():
            yield
    except (CtsegError, OSError, MemoryError):
        raise
    except Exception as error:  # a config is code and can fail in any way
        root = list(_causes(error))[-1]
        text = " ".join(str(root).split())[:300]
        raise BundleError(f"{bundle}: the config cannot be used: {type(root).__name__}: {text}") from error


@contextmanager
def own_errors() -> Iterator[None]:
    """Raise our refusals and the system's errors as they were; MONAI wraps them in a RuntimeError per transform.

    Raises:
        CtsegError: It was raised, or caused what was raised.
        OSError: Likewise.

    """
    try:
        yield
    except CtsegError:
        raise
    except Exception as error:
        for cause in _causes(error):
            if isinstance(cause, (CtsegError, OSError)):
                raise cause from None
        raise


@contextmanager
def writing_errors(folder: Path) -> Iterator[None]:
    """Report a full disk or missing rights.

    Args:
        folder: The folder to name.

    Raises:
        OutputError: Something could not be written.

    """
    try:
        with system_errors(folder):
            yield
    except RuntimeError as error:  # torch raises one when the disk is full
        if "PytorchStreamWriter" not in str(error) and "file write failed" not in str(error):
            raise
        raise OutputError(
            f"{folder}: the weights cannot be written (is the disk full?); make room, or name another path"
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the log and the warnings of MONAI, Ignite and torch; exceptions pass. Levels are restored at the end."""
    loggers = [
        logging.getLogger(name)
        for name in [*_NOISY, *logging.root.manager.loggerDict]
        if name.partition(".")[0] in _NOISY
    ]
    root, ours = logging.root, logging.getLogger("monai_ctseg")
    levels = [(logger, logger.level) for logger in (*loggers, ours, root)]
    propagate = root.propagate
    ours.setLevel(ours.getEffectiveLevel())  # MONAI's StatsHandler sets the root logger to INFO
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"(monai|ignite|torch)(\.|$)")
            yield
    finally:
        for logger, level in levels:
            logger.setLevel(level)
        root.propagate = propagate


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
