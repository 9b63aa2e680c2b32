"""The house: data flows one way through its rooms, and none of them knows what stands below it.

Imports are read from the sources, wherever they stand in them: inside functions and for type checkers alone, too.
"""

from __future__ import annotations

import ast
import re
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import recognizer

PACKAGE = Path(recognizer.__file__).parent
NAME = PACKAGE.name
# From top to bottom: a room imports only from rooms above it.
ORDER = (
    *("errors", "intervals", "files", "parallel", "acoustics", "sound", "features", "corpus", "recognition", "model"),
    *("training", "adaptation", "speakers", "own_models", "live", "recognizer", "evaluation", "htk", "serve", "cli"),
    "__main__",
)
MOST_ROOMS = 20  # that one can keep in mind, and a listing shows at a glance
NO_ROOMS = {"__init__", "__main__", "__pycache__", "py", "THEORY"}
MEANINGLESS = {"common", "util", "utils", "helper", "helpers", "misc", "tools", "lib"}


def sources() -> dict[str, str]:
    """The text of every module by its name; a package has the name of its folder."""
    found = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = (NAME, *file.relative_to(PACKAGE).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file.read_text(encoding="utf-8")
    return found


def imported(source: str, modules: set[str]) -> set[str]:
    """The modules that a text imports: whole names of those that are given, and of others."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are written with their whole names"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in modules else node.module for name in names}
    return found


def arrows(texts: dict[str, str]) -> dict[str, set[str]]:
    """Which modules of the package each imports."""
    modules = set(texts)
    return {
        name: {other for other in imported(text, modules) if other.partition(".")[0] == NAME}
        for name, text in texts.items()
    }


def room(module: str) -> str:
    """The room that a module stands in; of the package itself its name."""
    return module.split(".")[1] if "." in module else module


def between_rooms(found: dict[str, set[str]]) -> dict[str, set[str]]:
    """Arrows from room to room; the package's own module hands on what is below it, and is no room."""
    rooms: dict[str, set[str]] = {}
    for name, others in found.items():
        if name != NAME:
            rooms.setdefault(room(name), set()).update(room(other) for other in others)
    return {name: others - {name} for name, others in rooms.items()}


def upwards(found: dict[str, set[str]]) -> list[str]:
    """Imports from a room that does not stand above, or from the package that hands on what is below."""
    wrong = []
    for name, others in found.items():
        for other in others if name != NAME else ():
            if room(name) != room(other) and (other == NAME or ORDER.index(room(other)) > ORDER.index(room(name))):
                wrong.append(f"{name} imports {other}")
    return sorted(wrong)


def circle(graph: dict[str, set[str]]) -> list[str]:
    """The names on a circle, none when there is no circle."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def defined(texts: dict[str, str]) -> dict[str, set[str]]:
    """The modules that define each class, function and name of a type, those for a module's own use left out."""
    found: dict[str, set[str]] = {}
    for module, text in texts.items():
        for node in ast.parse(text).body:
            names = [node.name] if isinstance(node, ast.ClassDef | ast.FunctionDef) else []
            if isinstance(node, ast.Assign):
                names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            for name in names:
                if not name.startswith("_") and not name.isupper():
                    found.setdefault(name, set()).add(module)
    return found


def bare(texts: dict[str, str]) -> set[tuple[str, str]]:
    """Names that are imported without their module, each with the module that defines it."""
    found = set()
    for text in texts.values():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom):
                found |= {(alias.name, node.module) for alias in node.names}
    return found


def ambiguous(texts: dict[str, str]) -> list[str]:
    """Names that mean two things: defined by two modules, and not read with the module's name in front everywhere.

    Classes may not share a name at all. A command of the command line is called what its user types.
    """
    texts = {name: text for name, text in texts.items() if room(name) != "cli" or "@app.command" not in text}
    imports = bare(texts)
    wrong = []
    for name, modules in defined(texts).items():
        science = {module for module in modules if room(module) != "cli" or module.rpartition(".")[2] != name}
        if len(science) > 1 and (name[0].isupper() or any((name, module) in imports for module in science)):
            wrong.append(f"{name} in {', '.join(sorted(science))}")
    return sorted(wrong)


ARROWS = arrows(sources())


def test_rooms_are_few_and_known():
    rooms = {file.name.partition(".")[0] for file in PACKAGE.iterdir()} - NO_ROOMS
    assert len(rooms) <= MOST_ROOMS
    assert rooms - {"models"} <= set(ORDER)  # models: the shipped ones, where the package is installed
    assert set(between_rooms(ARROWS)) >= {"acoustics", "features", "recognition", "training", "htk", "cli"}


def test_no_arrow_goes_up():
    assert upwards(ARROWS) == []


def test_there_is_no_circle_of_rooms_or_modules():
    assert circle(between_rooms(ARROWS)) == []
    assert circle(ARROWS) == []


def test_acoustics_know_arrays_and_errors_alone():
    modules = set(sources())
    for name, text in sources().items():
        if room(name) == "acoustics":
            for other in imported(text, modules):
                top = other.partition(".")[0]
                allowed = top in {"numpy", "scipy"} | sys.stdlib_module_names
                assert allowed or room(other) in ("acoustics", "errors"), f"{name} imports {other}"


@pytest.mark.parametrize(("below", "users"), [("htk", {"cli"}), ("cli", {"__main__"})])
def test_a_room_at_the_border_is_used_by_few(below, users):
    assert {name for name, others in between_rooms(ARROWS).items() if below in others} == users


def test_only_the_command_line_speaks_of_its_options():
    for name, text in sources().items():
        if room(name) != "cli":
            strings = [node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)]
            told = [s for s in strings if isinstance(s, str) and re.search(r"(?<![\w-])--[a-z]", s)]
            assert [s for s in told if "pip install" not in s] == [], name


def test_every_name_says_what_is_in_it():
    for name in ARROWS:
        assert not MEANINGLESS & set(name.lower().replace("_", ".").split(".")), name


def test_a_name_means_one_thing():
    assert ambiguous(sources()) == []


# What the tests above would not pass


HOUSE = {NAME: "", f"{NAME}.errors": "", f"{NAME}.acoustics": "", f"{NAME}.acoustics.chain": "", f"{NAME}.cli": ""}


@pytest.mark.parametrize(
    "line",
    [
        "from recognizer.cli import main",
        "import recognizer.cli",
        "from recognizer import cli",
        "def late():\n    from recognizer.cli import main",
        "if TYPE_CHECKING:\n    from recognizer.cli import main",
        "try:\n    import recognizer.cli as screen\nexcept ImportError:\n    pass",
    ],
)
def test_an_arrow_up_is_noticed(line):
    found = arrows(HOUSE | {f"{NAME}.acoustics.chain": line})
    assert upwards(found) == ["recognizer.acoustics.chain imports recognizer.cli"]
    assert upwards(arrows(HOUSE | {f"{NAME}.cli": "from recognizer.acoustics.chain import Chain"})) == []


def test_an_arrow_to_what_the_package_hands_on_is_noticed():
    found = arrows(HOUSE | {f"{NAME}.acoustics.chain": "from recognizer import Recognizer"})
    assert upwards(found) == ["recognizer.acoustics.chain imports recognizer"]


def test_a_circle_is_noticed():
    there = {f"{NAME}.acoustics.chain": "from recognizer.acoustics import walk"}
    back = {f"{NAME}.acoustics.walk": "def late():\n    from recognizer.acoustics.chain import Chain"}
    there |= {f"{NAME}.acoustics": ""}
    assert circle(arrows(HOUSE | there | back))
    assert not circle(arrows(HOUSE | there | {f"{NAME}.acoustics.walk": ""}))
    rooms = {f"{NAME}.errors": "import recognizer.acoustics.chain", f"{NAME}.acoustics": "import recognizer.errors"}
    assert circle(between_rooms(arrows(HOUSE | rooms)))


def test_a_name_of_two_things_is_noticed():
    one, other = f"{NAME}.errors", f"{NAME}.acoustics.chain"
    assert ambiguous(HOUSE | {one: "class Take:\n    pass", other: "class Take:\n    pass"})
    both = {one: "def read():\n    pass", other: "def read():\n    pass"}
    assert not ambiguous(HOUSE | both | {f"{NAME}.acoustics": "from recognizer import errors"})
    assert ambiguous(HOUSE | both | {f"{NAME}.acoustics": "from recognizer.errors import read"})
