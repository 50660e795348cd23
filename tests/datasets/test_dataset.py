"""Splits that leak nothing in silence, and dataset.json."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.quick_phantom import Phantom
from monai_ctseg.datasets.dataset_file import read_dataset, write_dataset
from monai_ctseg.datasets.facts import Facts
from monai_ctseg.datasets.patient_split import split_patients
from monai_ctseg.datasets.records import SECTIONS, Case, DataSplit
from monai_ctseg.datasets.slice_split import split_blocks, split_interleaved
from monai_ctseg.datasets.split import build_dataset, open_dataset
from monai_ctseg.errors import DatasetError, GridMismatch, MaskError
from monai_ctseg.grid import Grid
from monai_ctseg.io.nifti import write_mask, write_scan
from monai_ctseg.io.read import read_scan
from monai_ctseg.scan import Mask

CASE = Case(Path("scan"))
APART = {"training": [{"image": "a"}], "validation": [{"image": "b"}]}
TWIN = {"image": "a", "voxels_sha256": "0f"}


def facts(metal: list[int], *, spacing_mm: float = 1.6, keys: Iterable[str] = "a") -> Facts:
    return Facts(tuple(f"IM{k:03d}" for k in range(len(metal))), spacing_mm, tuple(metal), frozenset(keys))


def slices(dataset: DataSplit) -> tuple[tuple[int, ...], tuple[int, ...]]:
    train, held = dataset.training[0].slices, dataset.validation[0].slices
    assert train is not None
    assert held is not None
    return train, held


def test_interleaved_holds_out_every_fifth_slice_and_says_that_it_leaks() -> None:
    dataset = split_interleaved(CASE, facts([1] * 12))
    assert slices(dataset) == ((0, 1, 2, 3, 5, 6, 7, 8, 10, 11), (4, 9))
    assert "training slices on both sides" in dataset.note


def test_interleaved_counts_by_the_numbers_in_the_names_or_by_position() -> None:
    falling = replace(facts([1] * 12), names=tuple(f"IM{300 - k}" for k in range(12)))
    assert slices(split_interleaved(CASE, falling))[1] == (2, 7)
    unnumbered = replace(facts([1] * 12), names=tuple(f"1.{k}.{9 - k % 3}" for k in range(12)))
    assert slices(split_interleaved(CASE, unnumbered))[1] == (4, 9)


def test_a_named_block_leaves_a_gap_of_5_mm_on_each_side() -> None:
    train, held = slices(split_blocks(CASE, facts([1] * 40), held_out=("IM019", "IM010")))
    assert held == tuple(range(10, 20))
    assert set(range(40)) - set(train) - set(held) == {6, 7, 8, 9, 20, 21, 22, 23}


@given(
    st.lists(st.integers(0, 50), min_size=2, max_size=60).filter(lambda metal: sum(m > 0 for m in metal) > 1),
    st.floats(0.4, 9),
)
def test_a_chosen_block_is_apart_from_training_and_both_show_metal(metal: list[int], spacing_mm: float) -> None:
    try:
        train, held = slices(split_blocks(CASE, facts(metal, spacing_mm=spacing_mm), held_out=None))
    except DatasetError:
        return
    assert held == tuple(range(held[0], held[-1] + 1))
    assert min(abs(a - b) for a in train for b in held) * spacing_mm > 5
    assert any(metal[k] for k in train)
    assert any(metal[k] for k in held)


def test_metal_on_part_of_the_slices_still_gives_a_block_with_a_fifth_of_it() -> None:
    metal = [0] * 100 + [10] * 50
    _, held = slices(split_blocks(CASE, facts(metal), held_out=None))
    assert sum(metal[k] for k in held) == 100


def test_scans_of_one_patient_stay_together() -> None:
    cases = [Case(Path(f"scan{n}")) for n in range(6)]
    same = [facts([1], keys=keys) for keys in ("ab", "bc", "cd", "x", "y", "z")]
    for seed in range(8):
        dataset = split_patients(cases, same, seed=seed)
        sides = [case in dataset.training for case in cases[:3]]
        assert len(set(sides)) == 1
        assert len(dataset.training) + len(dataset.validation) == 6
        assert dataset == split_patients(cases, same, seed=seed)


@pytest.mark.parametrize(
    ("metal", "held_out", "words"),
    [
        ([9], None, "one slice"),
        ([0] * 9, None, "no metal"),
        ([1] * 9, ("IM003", "IM999"), "no slice 'IM999'"),
        ([1] * 9, (0, 8), "0 slices for training"),
        ([0] * 5 + [1] * 5, (0, 1), "no metal"),
        ([0, 0, 1, 0, 0], None, "interleaved"),
        ([1] * 9, (3,), "first and a last"),
    ],
)
def test_splits_that_cannot_be_are_refused_in_one_line(metal: list[int], held_out: tuple[int], words: str) -> None:
    with pytest.raises(DatasetError, match=words) as refusal:
        split_blocks(CASE, facts(metal), held_out=held_out)
    assert "\n" not in str(refusal.value)


def test_a_single_patient_is_refused() -> None:
    with pytest.raises(DatasetError, match="2 scans are of 1 patients"):
        split_patients([CASE, CASE], [facts([1]), facts([1])])


def test_facts_come_from_the_scan_and_its_mask(phantom: Phantom, tmp_path: Path) -> None:
    write_scan(phantom.scan, tmp_path / "scan.nii.gz")
    write_mask(phantom.truth, tmp_path / "mask.nii.gz")
    case = Case(tmp_path / "scan.nii.gz", label=tmp_path / "mask.nii.gz")
    _, held = slices(build_dataset([case]))
    assert phantom.truth.voxels[:, :, list(held)].any()
    with pytest.raises(DatasetError, match="is for one scan"):
        build_dataset([case, case], split="blocks")
    with pytest.raises(DatasetError, match="1 patients"):
        build_dataset([case, case])


def test_a_mask_on_another_grid_is_refused(phantom: Phantom, tmp_path: Path) -> None:
    write_scan(phantom.scan, tmp_path / "scan.nii.gz")
    moved = Grid(phantom.truth.grid.shape, phantom.truth.grid.index_to_lps + np.eye(4, k=3))
    write_mask(Mask(phantom.truth.voxels, moved), tmp_path / "mask.nii.gz")
    with pytest.raises(GridMismatch):
        build_dataset([Case(tmp_path / "scan.nii.gz", label=tmp_path / "mask.nii.gz")])


def test_dataset_json_survives_writing_and_moving(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    (here / "scans").mkdir(parents=True)
    (here / "scans" / "a.nii").touch()
    outside = tmp_path / "b.nii"
    outside.touch()
    dataset = DataSplit(
        training=(Case(here / "scans" / "a.nii", label=outside, series="1.2", slices=(0, 2)),),
        validation=(Case(outside),),
        split="blocks",
        note="why",
        test=(Case(here / "scans" / "c.nii", metal_voxels=7, voxels_sha256="0f"),),
    )
    (here / "scans" / "c.nii").touch()
    write_dataset(dataset, here / "dataset.json")
    assert open_dataset(here) == dataset
    here.rename(there)
    assert open_dataset(there).training[0].image == there / "scans" / "a.nii"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "cannot be read"),
        ("[]", "no JSON object"),
        ({"training": [], "validation": [{"image": "a"}]}, "no scan under 'training'"),
        ({"training": [{"label": "a"}], "validation": [{"image": "a"}]}, r"training\[0\] has no 'image'"),
        ({"training": [{"image": "../a"}], "validation": [{"image": "a"}]}, "leads out"),
        ({"training": [{"image": "a", "label": "b/../../a"}], "validation": [{"image": "a"}]}, "leads out"),
        ({**APART, "test": [{"image": "../a"}]}, r"test\[0\].*leads out"),
        ({**APART, "test": ["gone.nii"]}, "not exist: .*gone.nii"),
        ({**APART, "test": ["b"]}, "same slices of b in two sections"),
        ({**APART, "test": [{}]}, r"test\[0\] has no 'image'"),
        ({**APART, "test": "b"}, "no scan under 'test'"),
        ({"training": [{"image": "a\0"}], "validation": [{"image": "b"}]}, "not exist"),
        ({"training": [{"image": "a" * 5000}], "validation": [{"image": "b"}]}, "not exist"),
        (
            {"training": [{"image": "a", "label": 1}], "validation": [{"image": "b"}]},
            r"\[0\]: 'label' .* text, not 1",
        ),
        ({"training": [{"image": "a", "metal_voxels": "1"}], "validation": [{"image": "b"}]}, "number of voxels"),
        ({"training": [{"image": "a", "metal_voxels": 0}], "validation": [{"image": "b"}]}, "'training' holds metal"),
        ({"training": [{"image": "a"}], "validation": [{"image": "b", "metal_voxels": 0}]}, "'validation' holds metal"),
        ({"training": [{"image": "a"}], "validation": [], "note": "one patient"}, r"'validation'.*\(one patient\)"),
        ({"training": [TWIN], "validation": [{**TWIN, "image": "b"}]}, "same slices of a and b"),
        ({"training": [3], "validation": [{"image": "a"}]}, r"training\[0\] has no 'image'"),
        ({"training": [{"image": 3}], "validation": [{"image": "a"}]}, r"training\[0\]: 'image' .* a path, not 3"),
        ({"training": [{"image": "a", "slices": []}], "validation": [{"image": "b"}]}, r"slice indices, not \[\]"),
        ({"training": [{"image": "a", "slices": [True]}], "validation": [{"image": "b"}]}, "slice indices"),
        ({"training": None, "validation": [{"image": "b"}]}, "no scan under 'training'"),
        ({**APART, "threshold_hu": "3000"}, "'threshold_hu' has to be a number of HU, not 3000"),
        ({**APART, "threshold_hu": math.nan}, "'threshold_hu' has to be a number of HU, not nan"),
        ({"training": [{"image": "a", "weight": math.inf}], "validation": [{"image": "b"}]}, "above 0, not inf"),
        ({"training": [{"image": "gone.nii"}], "validation": [{"image": "a"}]}, "not exist: .*gone.nii"),
        (
            {"training": [{"image": "a", "slices": ["0"]}], "validation": [{"image": "a"}]},
            r"slice indices, not \['0'\]",
        ),
    ],
)
def test_a_bad_dataset_json_is_refused_in_one_line(content: object, words: str, tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "b").touch()
    file = tmp_path / "dataset.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(DatasetError, match=words) as refusal:
        read_dataset(file)
    assert "\n" not in str(refusal.value)


def test_links_lead_where_they_were_laid(tmp_path: Path) -> None:
    (tmp_path / "big_disk").mkdir()
    (tmp_path / "home").mkdir()
    for name in "ab":
        (tmp_path / "big_disk" / name).touch()
    (tmp_path / "home" / "images").symlink_to(tmp_path / "big_disk")
    sides = {"training": [{"image": "images/a"}], "validation": [{"image": "images/b"}]}
    (tmp_path / "home" / "dataset.json").write_text(json.dumps(sides))
    dataset = open_dataset(tmp_path / "home")
    assert dataset.training[0].image.is_file()
    sides["test"] = [{"image": str(tmp_path / "big_disk" / "a")}]
    (tmp_path / "home" / "dataset.json").write_text(json.dumps(sides))
    with pytest.raises(DatasetError, match="same slices of a in two"):
        open_dataset(tmp_path / "home")


def test_a_section_that_is_not_there_is_refused() -> None:
    with pytest.raises(DatasetError, match="no section 'train'"):
        DataSplit((CASE,), (CASE,)).items("train")  # type: ignore[arg-type]


@pytest.mark.parametrize(("patients", "expected"), [(2, (1, 1, 0)), (3, (1, 1, 1)), (10, (7, 2, 1)), (40, (28, 8, 4))])
def test_shares_of_the_patients_validate_and_test(patients: int, expected: tuple[int, int, int]) -> None:
    cases = [Case(Path(str(n))) for n in range(2 * patients)]
    all_facts = [facts([n % 2], keys=[f"{n}"]) for n in range(2 * patients)]
    dataset = split_patients(cases, all_facts, seed=4, test=0.1)
    metal = {case for n, case in enumerate(cases) if n % 2}
    assert tuple(len(metal & set(dataset.cases(name))) for name in SECTIONS) == expected
    assert sum(len(dataset.cases(name)) for name in SECTIONS) == 2 * patients
    assert ("too few" in dataset.note) == (patients == 2)


def test_a_label_of_other_values_is_refused(phantom: Phantom, tmp_path: Path) -> None:
    write_scan(phantom.scan, tmp_path / "scan.nii.gz")
    with pytest.raises(MaskError, match="0 and 1") as refusal:
        build_dataset([Case(tmp_path / "scan.nii.gz", label=tmp_path / "scan.nii.gz")])
    assert "\n" not in str(refusal.value)


def test_slices_on_both_sides_are_refused(tmp_path: Path) -> None:
    (tmp_path / "scan").mkdir()
    sides = {"training": [{"image": "scan", "slices": [0, 1]}], "validation": [{"image": "scan", "slices": [1, 2]}]}
    (tmp_path / "dataset.json").write_text(json.dumps(sides))
    with pytest.raises(DatasetError, match="same slices of scan"):
        read_dataset(tmp_path / "dataset.json")
    sides["validation"][0]["slices"] = [2]
    (tmp_path / "dataset.json").write_text(json.dumps(sides))
    assert read_dataset(tmp_path / "dataset.json").validation[0].slices == (2,)


@pytest.mark.slow
@pytest.mark.realdata
def test_the_users_split_of_the_hip_screw(data_dir: Path) -> None:
    dataset = build_dataset([Case(data_dir / "hip-screw-ct" / "dicom")], split="interleaved")
    names = read_scan(data_dir / "hip-screw-ct" / "dicom").names
    _, held = slices(dataset)
    assert sorted(names[k] for k in held) == [f"IM{n:05d}" for n in range(304, 500, 5)]


def test_how_a_label_came_about_and_how_often_it_is_drawn_are_kept(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "b").touch()
    simulated = {"image": "a", "label_method": "truth", "weight": 0.5}
    (tmp_path / "dataset.json").write_text(json.dumps({"training": [simulated], "validation": [{"image": "b"}]}))
    dataset = read_dataset(tmp_path / "dataset.json")
    write_dataset(dataset, tmp_path / "again.json")
    again = read_dataset(tmp_path / "again.json")
    assert again.training == dataset.training
    assert (again.training[0].label_method, again.training[0].weight) == ("truth", 0.5)
    assert (again.validation[0].label_method, again.validation[0].weight) == (None, None)
    assert again.items("training")[0] == {"image": str(tmp_path / "a"), "weight": 0.5}


@pytest.mark.parametrize("wrong", [{"weight": 0}, {"weight": "2"}, {"weight": True}, {"label_method": 3}])
def test_what_is_no_weight_or_method_is_refused(wrong: dict, tmp_path: Path) -> None:
    content = {"training": [{"image": "a", **wrong}], "validation": [{"image": "b"}]}
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    with pytest.raises(DatasetError, match=next(iter(wrong))):
        read_dataset(tmp_path / "dataset.json")
