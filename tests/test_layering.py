"""Imports flow downward, and each foreign library has one importer."""

import ast
from functools import cache
from pathlib import Path

import pytest

import prospect

ROOT = Path(prospect.__file__).parent
MODULES = {
    ".".join(("prospect", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(
        ".__init__"
    ): path
    for path in sorted(ROOT.rglob("*.py"))
}

# From the ground up. A module imports from its own layer's folder or from layers below.
LAYERS = (
    (
        "errors",
        "_version",
        "_kernels",
        "progress",
        "styles",
        "lexicon",
        "trees",
        "limits",
        "memory",
        "clusters",
        "cluster",
    ),
    ("grid",),
    ("coordinates", "sheets"),
    ("raster",),
    ("tables", "pages"),
    ("vector", "project", "roles", "gridding", "catchments", "backgrounds"),
    ("point_columns",),
    ("point_layers",),
    ("lines",),
    ("stack", "synthetic"),
    ("matching",),
    ("inspection", "vector_survey", "commodities", "features"),
    ("vector_inspection", "occurrences"),
    ("surveying",),
    ("ground", "labels", "folds", "models", "metrics", "own", "signs", "evidence", "completeness"),
    ("encoding", "detectability"),
    ("learners",),
    ("calibration", "applicability", "inference", "compiling", "parts", "bundles"),
    ("model", "model_file", "sound_trees"),
    ("samples", "record", "bands"),
    ("doubts",),
    ("held_out",),
    ("training",),
    ("several", "updating"),
    ("plots", "validation", "explanation"),
    ("scoring", "map_file", "verification"),
    ("targets",),
    ("comparison", "report"),
    ("export",),
    ("demo", "diagnosis"),
    ("cli",),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}

# Who alone may import what, at any depth of the code.
ONLY = {
    "rasterio": ("prospect.raster",),
    "geopandas": ("prospect.vector",),
    "pyogrio": ("prospect.vector",),
    "numba": ("prospect._kernels",),
    "llvmlite": ("prospect._kernels",),
    "click": ("prospect.cli",),
    "skops": ("prospect.model_file",),
    "pyflwdir": ("prospect.catchments",),
    "distributed": ("prospect.cluster",),
    "dask": ("prospect.cluster",),
}
NEVER = ("pickle", "osgeo", "fiona", "rioxarray")


@cache
def imports(path, top_only=False):
    """Every module that a file imports, wherever in it, types aside."""
    return tuple(_imports(path, top_only))


def _imports(path, top_only):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in ast.walk(block)
    }
    for node in tree.body if top_only else ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            for alias in node.names:
                longer = f"{node.module}.{alias.name}"
                yield longer if longer in MODULES else node.module


def part(module):
    """The module or folder directly below the package."""
    return [*module.split("."), ""][1]


def within(module, package):
    return module == package or module.startswith(package + ".")


@pytest.mark.parametrize("module", MODULES)
def test_foreign_libraries_have_one_importer(module):
    for name in imports(MODULES[module]):
        top = name.split(".")[0]
        assert top not in NEVER, f"{module} imports {name}"
        if top in ONLY:
            assert any(within(module, package) for package in ONLY[top]), f"{module}: {name}"


@pytest.mark.parametrize("module", [m for m in MODULES if m != "prospect"])
def test_imports_flow_downward(module):
    assert part(module) in LEVEL, f"{module} has no place in the layers: give it one here"
    for name in imports(MODULES[module]):
        if name.split(".")[0] != "prospect" or name in ("prospect", "prospect._version"):
            continue
        mine, theirs = part(module), part(name)
        if mine != theirs:
            assert LEVEL[theirs] <= LEVEL[mine], f"{module} imports {name}, which lies above it"


def test_no_module_waits_for_itself():
    """Imports at the top of modules make no circle."""
    edges = {
        module: {n for n in imports(path, top_only=True) if n in MODULES and n != "prospect"}
        for module, path in MODULES.items()
    }
    # A package and what its own modules import from it are one another's business.
    edges = {m: {n for n in found if not within(m, n)} for m, found in edges.items()}
    done = set()
    while len(done) < len(edges):
        free = {m for m, found in edges.items() if m not in done and found <= done}
        assert free, f"a circle among {sorted(set(edges) - done)}"
        done |= free


@pytest.mark.parametrize("module", MODULES)
def test_modules_stay_small_and_say_what_they_do(module):
    text = MODULES[module].read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(text))
    assert docstring, f"{module} has no docstring"
    assert docstring.splitlines()[0].endswith((".", ":"))


def test_no_machine_is_named():
    for path in [*MODULES.values(), *Path(__file__).parent.glob("*.py")]:
        for line in path.read_text(encoding="utf-8").splitlines():
            assert "/work" + "/" not in line, path
            assert "/home" + "/" not in line, path
