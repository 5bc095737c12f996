"""The layers of shared/: imports go down, and never in a circle."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.paths import ROOT

LAYERS: Final = (
    ("app",),
    ("http_api",),
    ("delivery", "callbacks"),
    ("deciding", "airflow", "callers"),
    ("rules", "stores", "admission"),
    ("runs", "azure"),
    ("event", "settings", "web"),
    ("values", "log_throttle"),
    ("errors", "codes", "version", "log", "backoff", "throttle", "collector"),
    ("visible_text",),
)
"""The packages and modules of shared/ from the top down; each may import only lower layers."""

MAY_IMPORT: Final = {
    "function_app": {"functions", "shared"},
    "functions": {"functions", "shared"},
    "shared": {"shared"},
    "cli": {"cli", "shared"},
    "for_airflow/src": set[str](),
}
"""The folders of this repository that each shipped folder may import."""

RANK: Final = {name: len(LAYERS) - number for number, line in enumerate(LAYERS) for name in line}


def modules(folder: str) -> list[Path]:
    """Return the Python files of a folder, or the one module of that name."""
    if (ROOT / f"{folder}.py").is_file():
        return [ROOT / f"{folder}.py"]
    return sorted(path for path in (ROOT / folder).rglob("*.py") if "tests" not in path.parts)


def name_of(path: Path) -> str:
    """Return the dotted name of a module."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the dotted name of each import of a module, also late ones and those for types."""
    package = name_of(path) if path.name == "__init__.py" else name_of(path).rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                base = ".".join([*parts[: len(parts) - node.level + 1], *filter(None, [node.module])])
            yield from ((node.lineno, module_of(base, alias.name)) for alias in node.names)


def module_of(base: str, name: str) -> str:
    """Return `base.name` if that is a module, otherwise `base`."""
    inner = ROOT.joinpath(*base.split("."), name)
    return f"{base}.{name}" if inner.is_dir() or inner.with_suffix(".py").is_file() else base


def test_every_part_of_shared_has_a_layer() -> None:
    """Each package and module of shared/ has a layer here."""
    parts = {path.stem for path in (ROOT / "shared").iterdir() if path.suffix == ".py"} - {"__init__"}
    parts |= {path.parent.name for path in (ROOT / "shared").glob("*/__init__.py")}
    assert parts == RANK.keys()


def test_imports_of_shared_go_down() -> None:
    """No module imports a package of its layer or of a higher one, also not late or for types."""
    wrong = []
    for path in modules("shared"):
        importer = name_of(path).split(".")
        for line, imported in imports(path):
            what = imported.split(".")
            if what[0] != "shared" or len(importer) == 1 or what[1:2] == importer[1:2]:
                continue
            if len(what) == 1 or RANK[importer[1]] <= RANK[what[1]]:
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {imported}")
    assert wrong == []


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_shipped_folders_import_what_they_may(folder: str) -> None:
    """The app, the command and the package for Airflow do not import the local stack or the tests."""
    ours = {path.parent.name for path in ROOT.glob("*/__init__.py")} | {"function_app"}
    assert modules(folder)
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {imported}"
        for path in modules(folder)
        for line, imported in imports(path)
        if imported.split(".")[0] in ours - MAY_IMPORT[folder]
    ]
    assert wrong == []


@pytest.mark.parametrize("folder", ["shared", "functions", "cli", "local", "bench"])
def test_no_module_imports_itself_by_way_of_others(folder: str) -> None:
    """The modules of a folder have no import cycle."""
    graph = {
        name_of(path): {imported for _, imported in imports(path) if imported.split(".")[0] == folder}
        for path in modules(folder)
        if path.name != "__init__.py"
    }
    while graph:
        free = [name for name, needed in graph.items() if not needed & graph.keys() - {name}]
        assert free, f"these import each other in a circle: {sorted(graph)}"
        for name in free:
            del graph[name]


@pytest.mark.parametrize("folder", ["shared", "cli", "local", "bench/permits"])
def test_a_folder_names_its_modules(folder: str) -> None:
    """The docstring of each package names its modules and folders."""
    missing = []
    for init in (ROOT / folder).rglob("__init__.py"):
        named = set(re.findall(r"[a-z0-9_]+", ast.get_docstring(ast.parse(init.read_text("utf-8"))) or ""))
        inside = {path.stem for path in init.parent.glob("*.py")} - {"__init__", "__main__"}
        inside |= {path.parent.name for path in init.parent.glob("*/__init__.py")}
        missing += [f"{init.parent.relative_to(ROOT)}: {name}" for name in sorted(inside - named)]
    assert missing == []
