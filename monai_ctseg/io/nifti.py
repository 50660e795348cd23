"""NIfTI: Scan and Mask <-> .nii and .nii.gz.

nibabel imports scipy, so it is imported when the first volume is read or written.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from monai_ctseg.errors import GeometryError, MaskError, PixelDataError, ScanError
from monai_ctseg.grid import Grid
from monai_ctseg.scan import HUArray, Mask, Scan

ENDINGS = (".nii", ".nii.gz")
_INT16 = np.iinfo(np.int16)


def is_nifti(path: Path) -> bool:
    """Whether the file's name ends like that of a NIfTI volume; the file need not exist."""
    return path.name.lower().endswith(ENDINGS)


def nifti_shape(path: Path) -> tuple[int, ...]:
    """The axes' lengths from the header alone; whatever nibabel raises on damaged bytes comes through."""
    import nibabel

    return tuple(int(n) for n in nibabel.load(path).shape)


def read_nifti(path: Path) -> Scan:
    """Read a NIfTI volume of HU.

    Args:
        path: A .nii or .nii.gz.

    Returns:
        Voxels [i, j, k], the three axes of the file; int16 where the values are whole numbers that fit, else float32.

    Raises:
        GeometryError: It has no affine (neither sform nor qform), lengths in another unit than mm, or no three axes.
        PixelDataError: A voxel is not a finite number, or the file is truncated.
        ScanError: The file cannot be read.
    """
    image = _load(path)
    grid = _grid_of(image, path)
    values = _values(image, path)
    if values.dtype.kind not in "iuf" or values.ndim != 3:
        raise PixelDataError(f"{path.name}: voxels of type {values.dtype}; CT needs one number a voxel")
    hu = _as_hu(values)
    if hu.dtype == np.float32:
        _require_finite(hu, path)
    return Scan(hu=hu, grid=grid, notes=_remarks(image))


def read_mask(path: Path) -> Mask:
    """Read a NIfTI mask, [i, j, k] bool.

    Raises:
        MaskError: A voxel is neither 0 nor 1.
        ScanError: The file cannot be read, or has no geometry.
    """
    if path.is_dir():
        raise ScanError(f"{path}: is a folder; name the mask.nii.gz in it")
    image = _load(path)
    grid = _grid_of(image, path)
    values = _values(image, path)
    if values.dtype.kind not in "biuf":
        raise MaskError(f"{path.name}: voxels of type {values.dtype}; a mask holds 0 and 1")
    if not np.isin(np.unique(values), (0, 1)).all():
        others = [value for value in np.unique(values).tolist() if value not in (0, 1)][:4]
        raise MaskError(
            f"{path.name}: a mask holds 0 and 1, this file also {others}; choose one label and write it as 1"
        )
    return Mask(np.asfortranarray(values.astype(np.bool_)), grid)


def write_scan(scan: Scan, path: Path) -> None:
    """Write HU as .nii or .nii.gz, with the grid's affine in RAS; the same scan gives the same bytes.

    Raises:
        OSError: The file cannot be written.
    """
    _write(np.asarray(scan.hu), scan.grid, path)


def write_mask(mask: Mask, path: Path) -> None:
    """Write a mask as uint8 0 and 1; the same mask gives the same bytes.

    Raises:
        OSError: The file cannot be written.
    """
    _write(mask.voxels.view(np.uint8), mask.grid, path)


def write_probability(values: npt.NDArray[np.uint8], grid: Grid, path: Path) -> None:
    """Write probabilities, one byte a voxel: scl_slope turns them into 0 ... 1.

    Args:
        values: uint8 [i, j, k], in 255ths.
        grid: Where the voxels lie.
        path: A .nii or .nii.gz.

    Raises:
        OSError: The file cannot be written.
    """
    _write(values, grid, path, slope=1 / 255)


def _load(path: Path) -> Any:
    import nibabel

    try:
        return nibabel.load(path)
    except FileNotFoundError:
        raise ScanError(f"{path}: there is no such file") from None
    except _unreadable() as error:
        raise ScanError(
            f"{path.name}: not a NIfTI volume that can be read ({_reason(error, path)}); export it again"
        ) from None


def _unreadable() -> tuple[type[Exception], ...]:
    """What nibabel and the decompression raise on damaged files."""
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError

    return ImageFileError, HeaderDataError, OSError, EOFError, ValueError, zlib.error


def _grid_of(image: Any, path: Path) -> Grid:
    shape = tuple(int(n) for n in image.shape)
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) != 3 or min(shape) < 1:
        raise GeometryError(f"{path.name}: {' x '.join(map(str, shape))} voxels; one volume of three axes is needed")
    import nibabel

    header = image.header
    if not isinstance(image, nibabel.Nifti1Image) or (header["sform_code"] == 0 and header["qform_code"] == 0):
        raise GeometryError(
            f"{path.name}: no affine (sform and qform are unset), so its position is unknown; export it with one"
        )
    unit = header.get_xyzt_units()[0]
    if unit not in ("mm", "unknown"):
        raise GeometryError(f"{path.name}: its lengths are in {unit}, not in mm; write it in mm")
    try:
        return Grid.from_ras((shape[0], shape[1], shape[2]), image.affine)
    except ValueError as error:
        raise GeometryError(f"{path.name}: its affine cannot be used: {error}; export it again") from None


def _remarks(image: Any) -> tuple[str, ...]:
    """A note where the two affines of a NIfTI file disagree."""
    (sform, s_code), (qform, q_code) = image.get_sform(coded=True), image.get_qform(coded=True)
    if not (s_code and q_code):
        return ()
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in image.shape[:3]], [1])).reshape(4, -1)
    apart = float(np.abs((sform - qform) @ corners).max())
    return (f"sform and qform differ by up to {apart:.1f} mm; the sform is used",) if apart > 0.1 else ()


def _values(image: Any, path: Path) -> npt.NDArray[Any]:
    """Voxels on three axes, scaled, as stored in the file where there is no scaling."""
    try:
        values: npt.NDArray[Any] = _scaled(image.dataobj)
        _require_sound(path)
    except _unreadable() as error:
        raise PixelDataError(
            f"{path.name}: its voxels are truncated or damaged ({_reason(error, path)}); copy or export it again"
        ) from None
    return np.reshape(values, values.shape[:3], order="A")


def _scaled(stored: Any) -> npt.NDArray[Any]:
    """Integers where stored values, slope and intercept are integers; nibabel itself makes float64 of any scaling."""
    slope, intercept = float(stored.slope), float(stored.inter)
    if not (np.isfinite(slope) and np.isfinite(intercept)):
        raise ValueError(f"scl_slope is {slope}, scl_inter {intercept}")
    if stored.dtype.kind not in "iu" or not (slope.is_integer() and intercept.is_integer()):
        return np.asarray(stored)
    values: npt.NDArray[Any] = np.asanyarray(stored.get_unscaled())
    return values if (slope, intercept) == (1, 0) else values.astype(np.int64) * int(slope) + int(intercept)


def _require_sound(path: Path) -> None:
    """Read a .gz to its checksum at the end; nibabel stops before."""
    if path.name.lower().endswith(".gz"):
        with gzip.open(path) as file:
            while file.read(1 << 24):
                pass


def _require_finite(values: npt.NDArray[Any], path: Path) -> None:
    for k in range(values.shape[2]):
        bad = ~np.isfinite(values[:, :, k])
        if bad.any():
            i, j = (int(n) for n in np.argwhere(bad)[0])
            raise PixelDataError(
                f"{path.name}: voxel ({i}, {j}, {k}) is {values[i, j, k]}; write the file again with an HU there"
            )


def _as_hu(values: npt.NDArray[Any]) -> HUArray:
    if values.dtype.kind in "iu" and values.min() >= _INT16.min and values.max() <= _INT16.max:
        return np.asfortranarray(values, dtype=np.int16)
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes inf, and is refused
        return np.asfortranarray(values, dtype=np.float32)


def _write(values: npt.NDArray[Any], grid: Grid, path: Path, *, slope: float | None = None) -> None:
    import nibabel

    image = nibabel.Nifti1Image(values, grid.affine_ras)
    if slope is not None:
        image.header.set_slope_inter(slope, 0)
    image.header.set_xyzt_units("mm")
    image.set_sform(grid.affine_ras, code=1)
    image.set_qform(grid.affine_ras, code=0 if _sheared(grid) else 1)
    if path.name.lower().endswith(".gz"):
        with path.open("wb") as raw, gzip.GzipFile("", "wb", compresslevel=4, fileobj=raw, mtime=0) as file:
            image.to_stream(file)
    else:
        with path.open("wb") as file:
            image.to_stream(file)


def _sheared(grid: Grid) -> bool:
    """Whether the axes are not at right angles, which a qform cannot express."""
    axes = grid.index_to_lps[:3, :3] / grid.spacing_mm
    return bool(np.abs(axes.T @ axes - np.eye(3)).max() > 1e-6)


def _reason(error: Exception, path: Path) -> str:
    """What the library said, without the folder, which may name a patient or a temporary path."""
    return " ".join(str(error).replace(str(path), path.name).split())[:100]
