"""One way from a scan to its metal: what Python gets, and that nothing is computed twice."""

from __future__ import annotations

from collections import Counter

import cc3d
import numpy as np
import pytest

import monai_ctseg.segmentation.body as body
import monai_ctseg.segmentation.scan_facts as scan_facts
from monai_ctseg.scan import Mask
from monai_ctseg.segmentation.components import Components
from monai_ctseg.segmentation.confidence import Calibration
from monai_ctseg.segmentation.pipeline import Prediction, judge_mask, segment


class Seen:
    """A network that sees the phantom's truth, blurred at the rim."""

    threshold_weight = 0.0
    calibration = Calibration(training_range={"hu": (-1024, 32000), "noise_hu": (0, 60)})

    def __init__(self, truth: Mask, half_maximum_weight: float) -> None:
        self.truth = truth
        self.half_maximum_weight = half_maximum_weight

    def predict(self, scan, *, progress=None) -> Prediction:
        return Prediction(self.truth, np.asfortranarray(np.where(self.truth.voxels, 230, 10).astype(np.uint8)))


@pytest.fixture
def calls(monkeypatch) -> Counter:
    """How often each judgment of a scan, and each labelling of its components, is made."""
    count: Counter = Counter()

    def counted(name, function):
        def call(*arguments, **options):
            count[name] += 1
            return function(*arguments, **options)

        return call

    for name in ("find_padding", "judge_intensity"):
        monkeypatch.setattr(scan_facts, name, counted(name, getattr(scan_facts, name)))
    monkeypatch.setattr(body, "locate_body", counted("locate_body", body.locate_body))
    monkeypatch.setattr(Components, "of", counted("components", Components.of))
    return count


ONCE = {"locate_body": 1, "find_padding": 1, "judge_intensity": 1}


@pytest.mark.parametrize("method", ["threshold", "half-maximum"])
def test_body_padding_scale_and_components_are_computed_once(method, phantom, calls):
    segment(phantom.scan, method=method)
    assert calls == {**ONCE, "components": 1}


@pytest.mark.parametrize(("weight", "labellings"), [(0.0, 1), (0.5, 2)])
def test_a_network_adds_no_second_judgment(weight, labellings, phantom, calls):
    """With half-maximum its objects are labelled, too, to compare them with the network's."""
    found = segment(phantom.scan, network=Seen(phantom.truth, weight))
    assert calls == {**ONCE, "components": labellings}
    assert found.method == ("network and half-maximum" if weight else "network")
    assert found.confidence.training_range_known


def test_without_a_body_mask_the_body_is_not_located(phantom, calls):
    segment(phantom.scan, network=Seen(phantom.truth, 0.5), body_mask=False)
    assert calls["locate_body"] == 0


def test_a_selection_is_what_labelling_the_painted_mask_gives():
    """cc3d numbers components in the order of their first voxels, and a selection keeps that order."""
    random = np.random.default_rng(3)
    mask = np.asfortranarray(random.random((40, 30, 20)) > 0.93)
    components = Components.of(mask)
    chosen = random.random(len(components.voxels)) > 0.4
    chosen[0] = False
    selected, again = components.select(chosen), Components.of(components.paint(chosen))
    assert np.array_equal(selected.paint(), again.paint())
    assert np.array_equal(selected.voxels, again.voxels)
    assert np.array_equal(selected.by_size, again.by_size)


@pytest.mark.slow
def test_the_sensitivity_equals_a_segmentation_at_each_threshold(phantom):
    for row in segment(phantom.scan).sensitivity:
        assert row.voxels == segment(phantom.scan, threshold_hu=row.threshold_hu).mask.count


def test_a_given_mask_gets_the_same_report(phantom):
    found = segment(phantom.scan)
    given = judge_mask(phantom.scan, found.mask)
    assert given.method == "given"
    assert given.components == tuple(c for c in found.components if c.kept)
    assert cc3d.connected_components(given.mask.voxels, connectivity=26).max() == len(given.components)


def test_an_unknown_method_is_named_with_those_there_are(phantom):
    with pytest.raises(ValueError, match="'magic'; take one of threshold, half-maximum, or give a network"):
        segment(phantom.scan, method="magic")
