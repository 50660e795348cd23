"""What training varies at random."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from monai.transforms import Compose

from monai_ctseg.networks.augmentations import RandKerneld, RandPeakd, RandSaturated

HU = torch.linspace(-1000, 20000, 421).reshape(1, 1, 421)


def drawn(transform: Any, image: torch.Tensor = HU, *, seed: int = 0) -> torch.Tensor:
    chain = Compose([transform], log_stats=False)
    chain.set_random_state(seed)
    result: torch.Tensor = chain({"image": image})["image"]
    return result


@pytest.mark.parametrize("seed", range(8))
def test_a_peak_moves_and_nothing_below_the_knee_does(seed: int) -> None:
    wide = {"knees": (2500, 3500), "factors": (0.25, 1.5)}
    got = drawn(RandPeakd("image", prob=1, **wide, limits=(1e7, 2e7)), seed=seed)
    assert torch.equal(got[HU <= 2500], HU[HU <= 2500])
    steps = got.diff() / HU.diff()
    assert 0.24 < float(steps.min()) <= 1.01
    assert float(steps.max()) < 1.51
    assert 3000 + 0.25 * 16000 < float(got.max()) < 2500 + 1.5 * 17501
    flat = drawn(RandPeakd("image", prob=1, **wide, limits=(4000, 5000)), seed=seed)
    assert (flat.diff() > 0).all()
    assert 5500 < float(flat.max()) < 3500 + 5000
    assert (flat <= HU.clamp(max=3500) + 1.5 * (HU - 2500).clamp(min=0) + 1).all()


@pytest.mark.parametrize("seed", range(4))
def test_a_saturation_level_is_a_whole_number_of_the_12_bit_range(seed: int) -> None:
    got = drawn(RandSaturated("image", prob=1, levels_hu=(2976, 3095)), seed=seed)
    level = float(got.max())
    assert 2976 <= level <= 3095
    assert level == int(level)
    assert torch.equal(got, HU.clamp(max=level))


def test_kernels_blur_and_sharpen_in_the_plane_only() -> None:
    image = torch.zeros(1, 20, 20, 3)
    image[:, 10:, :, 1] = 1000.0
    spans = []
    for seed in range(12):
        got = drawn(RandKerneld("image", prob=1, sigmas=(0.4, 1.0)), image, seed=seed)
        assert not got[..., [0, 2]].any()
        assert float(got.mean()) == pytest.approx(float(image.mean()), rel=1e-3)
        spans.append(float(got.max() - got.min()))
    assert min(spans) < 1001 < 1030 < max(spans)  # edges overshoot where they are sharpened


@pytest.mark.parametrize(
    "transform",
    [
        RandPeakd("image", prob=0.5, knees=(2500, 3500), factors=(0.25, 1.5), limits=(4000, 40000)),
        RandKerneld("image", prob=0.5, sigmas=(0.4, 1.0)),
        RandSaturated("image", prob=0.5, levels_hu=(2976, 3095)),
    ],
)
def test_the_same_seed_draws_the_same_and_half_are_left_as_they_are(transform: Any) -> None:
    image = HU.reshape(1, 1, -1).expand(1, 9, -1).clone()
    kept = [torch.equal(drawn(transform, image, seed=seed), image) for seed in range(40)]
    assert 8 < sum(kept) < 32
    assert torch.equal(drawn(transform, image, seed=3), drawn(transform, image, seed=3))
    assert torch.equal(image, HU.reshape(1, 1, -1).expand(1, 9, -1))
