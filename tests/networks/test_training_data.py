"""What the bundles' recipes draw from a dataset.json of unlike scans."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch

from monai_ctseg.bundles import find_bundle
from monai_ctseg.networks.config import read_config
from monai_ctseg.networks.guards import quiet

BUNDLES = ("metal_unet2d", "metal_unet3d")
SPACINGS = ((0.4, 0.4, 1.0), (1.2, 1.2, 4.0), (0.9, 0.9, 1.5), (0.7, 0.7, 0.7))
SHAPES = ((130, 90, 40), (50, 60, 9), (70, 70, 1), (40, 130, 70))


@pytest.fixture(scope="module")
def unlike(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scans of unlike shape and spacing; the second holds no metal, but bone, the last is turned around."""
    folder = tmp_path_factory.mktemp("unlike")
    rng = np.random.default_rng(0)
    items = []
    for n, (shape, spacing) in enumerate(zip(SHAPES, SPACINGS, strict=True)):
        hu = rng.normal(0, 20, shape)
        inner = tuple(slice(size // 3, size // 3 + 2 + size // 8) for size in shape)
        hu[inner] = 900 if n == 1 else 9000
        metal = (hu > 4000).astype(np.uint8)
        affine = np.diag([*np.array(spacing) * ((1, 1, -1) if n == 3 else (-1, -1, 1)), 1.0])
        nib.save(nib.Nifti1Image(hu.astype(np.int16), affine), folder / f"i{n}.nii.gz")
        nib.save(nib.Nifti1Image(metal, affine), folder / f"l{n}.nii.gz")
        items.append({"image": f"i{n}.nii.gz", "label": f"l{n}.nii.gz", "label_method": "truth"})
        items[-1] |= {"weight": n} if n > 1 else {}
    (folder / "dataset.json").write_text(json.dumps({"training": items[1:], "validation": items[:1]}))
    return folder


@pytest.fixture(params=BUNDLES)
def recipe(request: pytest.FixtureRequest, unlike: Path, tmp_path: Path) -> Iterator[Any]:
    where = {"dataset_dir": str(unlike), "output_dir": str(tmp_path), "silent": True, "steps_per_epoch": 2}
    with quiet():
        yield read_config(find_bundle(request.param), "inference", "train", overrides=where)


@pytest.mark.slow
def test_each_step_has_patches_of_several_scans(recipe: Any) -> None:
    patch = recipe.get_parsed_content("patch")
    shape = (patch, patch) if isinstance(patch, int) else tuple(patch)
    each = recipe.get_parsed_content("scans_per_batch")
    count = each * recipe.get_parsed_content("patches_per_scan")
    for batch in recipe.get_parsed_content("train::dataloader"):
        assert batch["image"].shape == batch["label"].shape == (count, 1, *shape)
        assert batch["image"].dtype == torch.float32
        assert 0 <= float(batch["image"].min()) <= float(batch["image"].max()) <= 1
        assert set(batch["label"].unique().tolist()) == {0.0, 1.0}


def test_a_scan_without_metal_gives_what_is_bright(recipe: Any) -> None:
    dataset = recipe.get_parsed_content("train::dataset")
    recipe.get_parsed_content("train::preprocessing").set_random_state(0)
    bone = np.log2(1 + 0.8 + 1) / np.log2(34)  # 800 HU
    for _ in range(4):
        for patch in dataset[0]:
            assert not patch["label"].any()
            assert float(patch["image"].max()) > bone


def test_the_same_seed_draws_the_same_patches(recipe: Any) -> None:
    dataset, chain = (recipe.get_parsed_content(f"train::{name}") for name in ("dataset", "preprocessing"))
    drawn = []
    for _ in range(2):
        chain.set_random_state(5)
        drawn.append(torch.stack([patch["image"] for n in range(3) for patch in dataset[n]]))
    assert torch.equal(*drawn)


def test_a_heavier_scan_is_drawn_more_often(recipe: Any) -> None:
    sampler = recipe.get_parsed_content("train::dataloader").sampler
    torch.manual_seed(0)
    sampler.num_samples = 3000
    assert np.bincount(list(sampler)) / 3000 == pytest.approx(np.array([1, 2, 3]) / 6, abs=0.03)


@pytest.mark.parametrize("bundle", BUNDLES)
def test_without_augmentation_patches_are_the_scans_own(bundle: str, unlike: Path, tmp_path: Path) -> None:
    where = {"dataset_dir": str(unlike), "output_dir": str(tmp_path), "silent": True, "augment": False}
    with quiet():
        recipe = read_config(find_bundle(bundle), "inference", "train", overrides=where)
        patches = [patch for patch in recipe.get_parsed_content("train::dataset")[2] for _ in range(2)]
    peak = np.log2(1 + 10) / np.log2(34)
    for patch in patches:
        assert float(patch["image"].max()) == pytest.approx(peak, abs=1e-3) if patch["label"].any() else True
        assert tuple(patch["image"].shape[1:]) in ((96, 96), (48, 48, 32))
