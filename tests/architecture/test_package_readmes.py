"""A package of more than three modules has a README of a page: what it promises, its words, a diagram."""

from pathlib import Path

from tests.architecture.source_file import SOURCE_ROOT

FEW_MODULES = 3
PAGE_LINES = range(15, 121)


def unexplained(root: Path) -> list[str]:
    """Packages under `root`, private ones and migration scripts aside, that lack their page."""
    findings = []
    for package in sorted(path.parent for path in root.rglob("__init__.py")):
        name = package.relative_to(root).as_posix()
        modules = [path for path in package.glob("*.py") if path.name != "__init__.py"]
        if len(modules) <= FEW_MODULES or any(part.startswith("_") for part in package.relative_to(root).parts):
            continue
        readme = package / "README.md"
        if not readme.is_file():
            findings.append(f"{name}: {len(modules)} modules and no README.md")
        elif (lines := len(readme.read_text(encoding="utf-8").splitlines())) not in PAGE_LINES:
            findings.append(f"{name}/README.md: {lines} lines, a page wanted ({PAGE_LINES[0]} to {PAGE_LINES[-1]})")
    return findings


def test_every_package_explains_itself_on_a_page() -> None:
    assert unexplained(SOURCE_ROOT) == []


def make_package(folder: Path, modules: int, readme_lines: int) -> None:
    folder.mkdir()
    for name in ["__init__", *(f"m{number}" for number in range(modules))]:
        (folder / f"{name}.py").touch()
    if readme_lines:
        (folder / "README.md").write_text("a line\n" * readme_lines)


def test_a_missing_a_thin_and_an_endless_page_are_found(tmp_path: Path) -> None:
    for name, modules, readme_lines in [
        ("small", 3, 0),
        ("_private", 9, 0),
        ("silent", 4, 0),
        ("terse", 4, 2),
        ("endless", 4, 500),
        ("explained", 4, 60),
    ]:
        make_package(tmp_path / name, modules, readme_lines)

    assert [finding.split(":")[0] for finding in unexplained(tmp_path)] == [
        "endless/README.md",
        "silent",
        "terse/README.md",
    ]
