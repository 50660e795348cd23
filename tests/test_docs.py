"""The documentation says what is: commands, options, links, names, files; and the repository holds nothing else."""

from __future__ import annotations

import csv
import importlib.util
import re
import shlex
import subprocess
import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

import monai_ctseg
from monai_ctseg.cli import app

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("benchmarks/**/*.md"),
        *ROOT.glob("bundles/*/docs/*.md"),
    ]
)
RESULTS = ROOT / "benchmarks" / "results"
PICTURES = {".png", ".jpg", ".jpeg", ".gif", ".svg", ".tif", ".tiff", ".webp", ".bmp"}
IN_ROOT = {
    ".ci", ".gitignore", "CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md",
    "benchmarks", "bundles", "constraints.txt", "docs", "examples", "mkdocs.yml", "monai_ctseg", "pyproject.toml",
    "tests",
}  # fmt: skip
NOT_OURS = {".git", ".venv", "__pycache__", "site", "demo", "demo_scan", "dist"}


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@cache
def files() -> tuple[Path, ...]:
    """The repository's files: those that git tracks, or without git all but caches and outputs."""
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
        found = [ROOT / path for path in listed.split("\0") if path]
    except (OSError, subprocess.CalledProcessError):
        inside = (path for path in ROOT.rglob("*") if path.is_file())
        found = [path for path in inside if not any(hidden(part) for part in path.relative_to(ROOT).parts)]
    return tuple(path for path in found if path.is_file())


def hidden(part: str) -> bool:
    return part in NOT_OURS or part.endswith((".egg-info", "_cache", ".hypothesis"))


def test_nothing_unexpected_lies_in_the_root():
    assert {path.relative_to(ROOT).parts[0] for path in files()} <= IN_ROOT


def test_every_picture_is_shown_somewhere():
    texts = [path for path in files() if path.suffix in {".md", ".py", ".yaml", ".yml", ".jinja", ".cff"}]
    said = "\n".join(path.read_text(encoding="utf-8") for path in texts if path != Path(__file__))
    orphans = [name(path) for path in files() if path.suffix.lower() in PICTURES and path.name not in said]
    assert not orphans, "pictures that no document or code refers to"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_to_files(page):
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_and_options_in_pages_exist(page):
    for line in commands(page.read_text(encoding="utf-8")):
        command, rest = resolve(line)
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        used = {word.split("=")[0] for word in rest if re.match(r"--?[a-zA-Z]", word)}
        assert used - known <= {"--help"}, line


def commands(text: str) -> list[list[str]]:
    """The words after "monai-ctseg" of each command in a page."""
    text = text.replace("\\\n", " ")
    code = [line.strip().removeprefix("$ ") for line in text.splitlines() if re.match(r"( {4}|\$ |monai-ctseg )", line)]
    code += [inline.strip() for inline in re.findall(r"`+([^`\n]+)`+", text)]
    found = [re.search(r"(?:monai-ctseg|-m monai_ctseg) (.+)", line) for line in code]
    words = [shlex.split(match.group(1).replace("'", ""), comments=True) for match in found if match]
    return [line for line in words if line and re.fullmatch(r"[a-z]+", line[0])]


def resolve(words: list[str]) -> tuple[Any, list[str]]:
    """The command that the words call, and what is left of them; it fails if there is no such command."""
    command: Any = typer.main.get_command(app)
    while words and hasattr(command, "list_commands") and words[0] != "[OPTIONS]":
        assert words[0] in command.list_commands(typer.Context(command)), f"no command {words[0]}"
        _, command, words = command.resolve_command(typer.Context(command), words)
    return command, words


def test_the_command_reference_is_what_the_command_line_says():
    spec = importlib.util.spec_from_file_location("generate_commands", ROOT / "docs" / "generate_commands.py")
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    fresh = generator.command_page()
    assert (ROOT / "docs" / "commands.md").read_text(encoding="utf-8") == fresh, "run python docs/generate_commands.py"
    assert "## monai-ctseg labels" in fresh
    assert "### monai-ctseg study plan" in fresh


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/api/*.md")), ids=name)
def test_documented_names_exist_and_are_documented(page):
    for dotted in re.findall(r"^::: (\S+)", page.read_text(encoding="utf-8"), re.MULTILINE):
        assert find(dotted).__doc__, dotted


def find(dotted: str) -> Any:
    """A module, or the name in one."""
    home, _, last = dotted.rpartition(".")
    return import_module(dotted) if dotted.endswith(".errors") else getattr(import_module(home), last)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_imports_in_pages_work(page):
    text = page.read_text(encoding="utf-8")
    for home, names in re.findall(r"^from (monai_ctseg[\w.]*) import ([\w, ]+)$", text, re.MULTILINE):
        for one in names.split(", "):
            assert getattr(import_module(home), one) is not None


def test_every_public_name_has_its_page():
    said = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("docs/api/*.md"))
    missing = [
        one for one in monai_ctseg.__all__ if one != "CtsegError" and not re.search(rf"^::: .*\.{one}$", said, re.M)
    ]
    assert not missing


@pytest.mark.slow
def test_the_site_builds_strictly_and_fetches_nothing(tmp_path):
    site = tmp_path / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(site)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    elsewhere = r"(?:https?:)?//"
    fetched = rf"<(?:script|img|iframe)[^>]+src=.{elsewhere}|<link[^>]+href=.{elsewhere}|url\([\"']?{elsewhere}"
    sources = [path for path in site.rglob("*") if path.suffix in {".html", ".css"}]
    assert len(sources) > 20
    assert not [path.name for path in sources if re.search(fetched, path.read_text(encoding="utf-8"))]


def test_every_result_table_has_its_command_and_is_a_table():
    readme = (RESULTS / "README.md").read_text(encoding="utf-8")
    tables = sorted(RESULTS.glob("*.csv"))
    assert set(re.findall(r"`(\w+\.csv)`", readme)) == {path.name for path in tables}
    for path in tables:
        with path.open(newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
        assert all(re.fullmatch(r"[a-z][a-z0-9_]*", column) for column in header), path.name
        assert rows, path.name
        assert {len(row) for row in rows} == {len(header)}, path.name


def test_the_citation_names_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == monai_ctseg.__version__
    assert citation["cff-version"] == "1.2.0"
    assert citation["license"] == "Apache-2.0"
    assert {"message", "title", "authors"} <= set(citation)


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 130
