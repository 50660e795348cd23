"""The form of dataset.json, by pydantic, and what is wrong with a file that does not have it, in one line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from monai_ctseg.errors import DatasetError


class Item(BaseModel):
    """A scan in a section; keys that are not listed here are ignored. The descriptions are part of refusals."""

    model_config = ConfigDict(strict=True, frozen=True)

    image: str = Field(description="a path")
    label: str | None = Field(None, description="text")
    series: str | None = Field(None, description="text")
    slices: list[int] | None = Field(None, min_length=1, description="a list of slice indices")
    metal_voxels: int | None = Field(None, description="a number of voxels")
    voxels_sha256: str | None = Field(None, description="text")
    label_method: str | None = Field(None, description="text")
    weight: float | None = Field(None, gt=0, allow_inf_nan=False, description="a number above 0")


def _as_item(value: Any) -> Any:
    return {"image": value} if isinstance(value, str) else value  # as the Decathlon's own "test" has it


_Items = list[Annotated[Item, BeforeValidator(_as_item)]]


class DatasetFile(BaseModel):
    """dataset.json as a whole."""

    model_config = ConfigDict(strict=True, frozen=True)

    training: _Items
    validation: _Items
    test: Annotated[_Items, BeforeValidator(lambda items: [] if items is None else items)] = []
    split: Annotated[str, BeforeValidator(str)] = "given"
    note: Annotated[str, BeforeValidator(lambda note: str(note or ""))] = ""
    threshold_hu: float | None = Field(None, allow_inf_nan=False, description="a number of HU")


def parse_dataset(content: Any, path: Path) -> DatasetFile:
    """Check the content of dataset.json.

    Args:
        content: What JSON holds.
        path: Of the file, for the refusal.

    Raises:
        DatasetError: One line with the file, section, index, key, what is there and what is allowed.
    """
    if not isinstance(content, dict):
        raise DatasetError(f"{path} holds no JSON object; it needs the lists 'training' and 'validation'")
    try:
        return DatasetFile.model_validate(content)
    except ValidationError as error:
        raise DatasetError(_describe(error.errors()[0]["loc"], content, path)) from None


def no_scan(path: Path, section: str, note: str = "") -> str:
    """The refusal of a section without scans; note: of the file, as it may say why."""
    return f"{path} lists no scan under '{section}'; it needs at least one" + (f" ({note})" if note else "")


def _describe(location: Sequence[int | str], content: dict[str, Any], path: Path) -> str:
    """What is wrong; location: (section, index, key ...), or less where the section or the item as a whole is wrong."""
    section = str(location[0])
    if section == "threshold_hu":
        return f"{path}: {_wrong(DatasetFile, section, content)}"
    if len(location) == 1:
        return no_scan(path, section)
    where, key = f"{path}, {section}[{location[1]}]", str(location[2]) if len(location) > 2 else "image"
    item = content[section][location[1]]
    if key == "image" and not (isinstance(item, dict) and "image" in item):
        return f"{where} has no 'image' path"
    return f"{where}: {_wrong(Item, key, item)}"


def _wrong(model: type[BaseModel], key: str, content: dict[str, Any]) -> str:
    return f"'{key}' has to be {model.model_fields[key].description}, not {str(content[key])[:40]}"
