"""The one search through folders."""

import os

import pytest

from monai_ctseg.errors import ScanError
from monai_ctseg.io.walk import exists, walk_files


@pytest.fixture
def tree(tmp_path):
    for name in ("b/2", "b/1", "a/deep/3", "z", ".hidden", ".folder/4"):
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "tree"


def names(folder, **more):
    return [path.relative_to(folder).as_posix() for path in walk_files(folder, **more)]


def test_files_come_in_a_fixed_order_without_hidden_ones(tree):
    assert names(tree) == ["z", "a/deep/3", "b/1", "b/2"]


def test_links_to_folders_are_followed_once_and_never_in_a_circle(tree, tmp_path):
    (tree / "a" / "back").symlink_to(tree)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "5").touch()
    (tree / "c").symlink_to(tmp_path / "other")
    assert names(tree) == ["z", "a/deep/3", "b/1", "b/2", "c/5"]


def test_a_folder_can_be_left_out(tree):
    assert names(tree, leave_out=tree / "b") == ["z", "a/deep/3"]


def test_a_folder_that_cannot_be_read_is_refused_or_reported(tree, monkeypatch):
    real = os.scandir

    def scandir(path):  # root, as whom tests may run, may read anywhere
        if str(path).endswith("b"):
            raise PermissionError(13, os.strerror(13), str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(ScanError, match=r"b: cannot be read \(Permission denied\); check the folder's permissions"):
        names(tree)
    errors = []
    assert names(tree, on_unreadable=errors.append) == ["z", "a/deep/3"]
    assert [error.filename for error in errors] == [str(tree / "b")]


def test_a_name_that_no_file_can_have_does_not_exist(tmp_path):
    assert not exists(tmp_path / ("x" * 300))
    assert not exists(tmp_path / "a\0b")
