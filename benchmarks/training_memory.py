"""What a training step needs in memory, by patch size, counted without a GPU.

    python benchmarks/training_memory.py

Counted are the tensors that autograd keeps for the backward pass (each storage once), the batch, the weights, their
gradients and Adam's two moments, all in float32. A GPU needs more: cuDNN's workspace, the gradients of activations
while the backward pass runs, and the allocator's slack. Mixed precision halves the activations.
"""

from __future__ import annotations

from typing import Any

import torch

from monai_ctseg.bundles import find_bundle
from monai_ctseg.networks.config import read_config
from monai_ctseg.networks.guards import quiet

CASES: dict[str, list[tuple[tuple[int, ...], int]]] = {
    "metal_unet2d": [((96, 96), 16), ((192, 192), 16), ((512, 512), 4)],
    "metal_unet3d": [((48, 48, 32), 8), ((64, 64, 48), 8), ((96, 96, 64), 8), ((128, 128, 96), 4)],
}


def step_bytes(network: torch.nn.Module, patch: tuple[int, ...], batch: int) -> int:
    """Bytes that one training step holds at the end of its forward pass."""
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = network(torch.rand(batch, 1, *patch))
        output.sigmoid().mean().backward()
    weights = sum(p.numel() * p.element_size() for p in network.parameters())
    return sum(kept.values()) + 3 * weights


def main() -> None:
    """Print a row a patch size."""
    print("bundle, patch, patches in a batch: MB")
    for bundle, cases in CASES.items():
        with quiet():
            network: Any = read_config(find_bundle(bundle), "inference").get_parsed_content("network_def")
        for patch, batch in cases:
            size = " x ".join(map(str, patch))
            print(f"{bundle}, {size}, {batch}: {step_bytes(network, patch, batch) / 1e6:,.0f}")


if __name__ == "__main__":
    main()
