"""bundles on the command line, and what a bundle's folder says without torch."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from monai_ctseg.bundles import describe_bundle, find_bundle, installed_bundles
from monai_ctseg.errors import BundleError
from monai_ctseg.output import file_sha256


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(find_bundle("metal_unet2d"), tmp_path / "copy")
    (tmp_path / "copy" / "models" / "model.pt").write_bytes(b"weights")
    return tmp_path / "copy"


def test_all_bundles_are_listed_with_what_they_are(run_cli):
    rows = {row["name"]: row for row in run_cli("bundles", "--json").json}
    assert list(rows) == ["metal_unet2d", "metal_unet3d"]
    assert [row["dimensions"] for row in rows.values()] == [2, 3]
    assert rows["metal_unet2d"]["spacing_mm"] is None
    assert rows["metal_unet3d"]["spacing_mm"] == [1.0, 1.0, 1.5]
    for row in rows.values():
        assert row["window_hu"] == [-1000.0, 32000.0]
        weights = Path(row["folder"]) / "models" / "model.pt"
        assert row["weights_sha256"] == (file_sha256(weights) if weights.is_file() else None)


def test_the_list_is_short_and_readable(run_cli, copy, monkeypatch):
    metadata = copy / "configs" / "metadata.json"
    text = metadata.read_text()
    start = text.index('"eval_metrics"')
    figures = '"eval_metrics": {"held out": {"dice": 0.98765, "scans": 3}}'
    metadata.write_text(text[:start] + figures + text[text.index("}", start) + 1 :])
    monkeypatch.setattr("monai_ctseg.cli.bundles.installed_bundles", lambda: (copy,))
    out = run_cli("bundles").out
    for words in (f"sha256 {file_sha256(copy / 'models/model.pt')[:12]}\n", ", 2D", "-1000 to 32000 HU", "own"):
        assert words in out
    assert "held out, dice: 0.9877" in out
    (copy / "models" / "model.pt").unlink()
    assert "no weights" in run_cli("bundles").out


@pytest.mark.slow
def test_no_torch_and_no_code_of_the_config(copy):
    config = copy / "configs" / "inference.yaml"
    config.write_text(config.read_text().replace("hu_max: 32000", "hu_max: $__import__('sys').exit(9)"))
    code = (
        "import sys\nfrom pathlib import Path\nfrom monai_ctseg.cli import main\n"
        "from monai_ctseg.bundles import describe_bundle, find_bundle\n"
        f"assert describe_bundle(find_bundle({str(copy)!r})).window_hu is None\n"
        "try:\n    main(['bundles'])\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "assert not {'torch', 'monai', 'ignite'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)


def test_names_and_paths(copy, monkeypatch):
    assert find_bundle(copy) == find_bundle(str(copy)) == copy.resolve()
    assert find_bundle("metal_unet3d") in installed_bundles()
    monkeypatch.setenv("HOME", str(copy.parent))
    assert find_bundle("~/copy") == copy.resolve()
    with pytest.raises(BundleError, match="known by name: metal_unet2d, metal_unet3d"):
        find_bundle("metal_unet9d")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("metadata.json", None, "cannot be read"),
        ("metadata.json", "{", "cannot be read as JSON"),
        ("metadata.json", "[]", "holds no ids"),
        ("inference.yaml", "a: [", "cannot be read as YAML"),
    ],
)
def test_a_broken_bundle_is_named_in_one_line(copy, name, content, words):
    file = copy / "configs" / name
    file.unlink() if content is None else file.write_text(content)
    with pytest.raises(BundleError, match=words) as error:
        describe_bundle(copy)
    assert str(file) in str(error.value)
    assert "\n" not in str(error.value)
