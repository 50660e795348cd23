"""Sheets: what readers get. One folder per reader and session: instructions, a table to fill in, images by code.

STUDY/protocol.yaml                              the protocol, fixed
STUDY/key/key.csv, fixed.json                    not for readers
STUDY/for_readers/R1/session_1/                  README.txt, sheet_R1_session_1.csv, images/CODE...
"""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from monai_ctseg.agreement.csv_table import write_csv
from monai_ctseg.agreement.study.blinding import MARK, subject_finder
from monai_ctseg.agreement.study.cases import Case
from monai_ctseg.agreement.study.key import Entry, Key, draw_key, write_key
from monai_ctseg.agreement.study.protocol import StudyProtocol
from monai_ctseg.agreement.study.protocol_file import write_protocol
from monai_ctseg.errors import ProtocolError
from monai_ctseg.parallel import Progress

Images = Literal["given", "link", "copy"]

COLUMNS = ("code", "image", "side", "quantity", "unit", "value", "reason", "notes")
ENDINGS = (".nii.gz", ".nii", ".dcm", ".zip", ".nrrd", ".mha", ".png", ".jpg", ".jpeg")
"""Endings that images keep; any other could be part of a name."""

PROTOCOL, KEY_FOLDER, READERS = "protocol.yaml", "key", "for_readers"


@dataclass(frozen=True)
class SheetOptions:
    """How sheets are made.

    Attributes:
        seed: Seed of orders and codes. With the list of cases it reproduces the key, so it is kept in the key's folder.
        images: "given" puts the image pointers of the list into the sheets; "link" and "copy" put images named by code
            beside them.
        base: Folder that relative paths of images start from.
    """

    seed: int
    images: Images = "given"
    base: Path = Path()


@dataclass(frozen=True)
class _Setup:
    """What all sheets share: the protocol, the image of each (subject, side), and how sheets refer to it."""

    protocol: StudyProtocol
    images: Mapping[tuple[str, str], str]
    how: Images


def write_sheets(
    protocol: StudyProtocol,
    cases: Sequence[Case],
    folder: Path,
    options: SheetOptions,
    progress: Progress | None = None,
) -> Key:
    """Write protocol, key and all sheets.

    Args:
        protocol: The protocol to fix.
        cases: The targets to read.
        folder: An existing folder.
        options: Seed and images.
        progress: Called with (done, of) after each sheet.

    Returns:
        The key.

    Raises:
        ProtocolError: An image pointer names its subject, or an image to link or copy does not exist.
        OSError: `folder` cannot be written.
    """
    images = _given(cases) if options.images == "given" else _files(cases, options.base)
    key, setup = draw_key(protocol, cases, options.seed), _Setup(protocol, images, options.images)
    write_protocol(protocol, folder / PROTOCOL)
    (folder / KEY_FOLDER).mkdir()
    write_key(key, folder / KEY_FOLDER)
    sheets = list(dict.fromkeys((entry.rater, entry.session) for entry in key.entries))
    for done, (rater, session) in enumerate(sheets, start=1):
        _write_session(folder / READERS / rater / f"session_{session}", key.of(rater, session), setup)
        if progress:
            progress(done, len(sheets))
    return key


def _write_session(folder: Path, entries: Sequence[Entry], setup: _Setup) -> None:
    folder.mkdir(parents=True)
    rater, session = entries[0].rater, entries[0].session
    wanted = setup.protocol.requirements
    if setup.how != "given":
        (folder / "images").mkdir()
    rows = []
    for entry in entries:
        image = _put_image(setup.images[entry.subject, entry.side], folder, entry.code, setup.how)
        rows.append(
            {"code": entry.code, "image": image, "side": entry.side, "quantity": wanted.quantity, "unit": wanted.unit}
        )
    sheet = f"sheet_{rater}_session_{session}.csv"
    write_csv(folder / sheet, COLUMNS, rows)
    (folder / "README.txt").write_text(_instructions(setup.protocol, sheet, session), "utf-8")


def _put_image(source: str, folder: Path, code: str, how: Images) -> str:
    if how == "given":
        return source
    path = Path(source)
    name = code + next((ending for ending in ENDINGS if path.name.lower().endswith(ending) and path.is_file()), "")
    copy = folder / "images" / name
    if how == "link":
        copy.symlink_to(path, target_is_directory=path.is_dir())
    elif path.is_dir():
        shutil.copytree(path, copy)
    else:
        shutil.copyfile(path, copy)
    return f"images/{name}"


def _given(cases: Sequence[Case]) -> dict[tuple[str, str], str]:
    find = subject_finder(case.subject for case in cases)
    for case in cases:
        if named := find(case.image):
            raise ProtocolError(
                f"image of {case.name} names subject {named}, so readers would not be blind; give --images link or "
                "copy, or a pointer without it"
            )
    return {(case.subject, case.side): case.image for case in cases}


def _files(cases: Sequence[Case], base: Path) -> dict[tuple[str, str], str]:
    found = {}
    for case in cases:
        path = (base / case.image).resolve()
        if not path.exists():
            raise ProtocolError(f"image of {case.name} is not there; correct its path, or give --images given")
        found[case.subject, case.side] = str(path)
    return found


def _instructions(protocol: StudyProtocol, sheet: str, session: str) -> str:
    wanted, collection = protocol.requirements, protocol.data_collection
    paragraphs = (
        f"Session {session} of {collection.sessions}. Fill in {sheet}, from top to bottom, and send it back.",
        f"What is measured: {wanted.quantity.replace('_', ' ')}, in {wanted.unit}, as a number such as 48.5.",
        f"How: {protocol.methods.how_to_read}",
        "Each row is one measurement: `image` says where the image is, `side` which side to measure (the patient's "
        "left or right).",
        "If it cannot be measured, leave `value` empty and write the reason into `reason`. Do not guess, and leave out "
        "no row.",
        "Do not change `code`, `image`, `side`, `quantity` and `unit`, and add no columns. `notes` is for "
        "your remarks; write no names there.",
        "Read alone. Do not look at other readers' values, at your own from an earlier session, or at a program's. "
        f"If you did, or know the patient, write `{MARK}` in `reason` of that row.",
        f"Leave at least {collection.days_between_sessions} days between two sessions.",
    )
    return "\n\n".join(textwrap.fill(" ".join(text.split()), 100) for text in paragraphs) + "\n"
