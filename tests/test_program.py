"""What the package promises to programs: each of its names is described, typed, and shown at work."""

from __future__ import annotations

import doctest
import inspect
import json
import re
import subprocess
import sys
import typing
import warnings
from dataclasses import is_dataclass
from pathlib import Path

import numpy as np
import pytest

import recognizer
from recognizer import recognizer as front_door

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = (REPOSITORY / "docs" / "python.md").read_text(encoding="utf-8")
NOTEBOOK = REPOSITORY / "docs" / "python.ipynb"
CELLS = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
PUBLIC = {name: getattr(recognizer, name) for name in recognizer.__all__}
SECTIONS = ("Parameters", "Returns", "Raises")


def methods(kind: type) -> dict[str, typing.Callable]:
    """Its public functions, those of the package's own classes that it inherits included."""
    found = {name: inspect.getattr_static(kind, name) for name in dir(kind) if not name.startswith("_")}
    plain = {name: getattr(value, "__func__", getattr(value, "fget", value)) for name, value in found.items()}
    return {name: value for name, value in plain.items() if inspect.isfunction(value)}


DOOR = methods(recognizer.Recognizer)
DOOR = {
    name: function for name, function in DOOR.items() if not isinstance(vars(recognizer.Recognizer)[name], property)
}


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_name_is_described_and_on_the_page(name):
    assert re.search(rf"`{name}\b", PAGE)
    described = PUBLIC[name].__doc__ or ""
    assert described.strip()
    assert not described.startswith(f"{name}("), "dataclasses write such lines of their own"
    for own in methods(PUBLIC[name]).values():
        assert (own.__doc__ or "").strip(), own


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_everything_is_typed(name):
    kind = PUBLIC[name]
    own = [kind.__init__] if "__init__" in vars(kind) and not is_dataclass(kind) else []
    for function in [*methods(kind).values(), *own]:
        parameters = inspect.signature(function).parameters.values()
        bare = [p.name for p in parameters if p.annotation is p.empty and p.name not in ("self", "cls")]
        assert bare == [], function
        assert "return" in function.__annotations__, function


@pytest.mark.parametrize("name", sorted(DOOR))
def test_every_method_of_the_door_says_what_it_takes_and_gives(name):
    described = inspect.getdoc(DOOR[name])
    for section in SECTIONS:
        assert f"\n{section}\n{'-' * len(section)}\n" in described
    for parameter in inspect.signature(DOOR[name]).parameters:
        if parameter not in ("self", "cls"):
            assert re.search(rf"^(\w+, )*{parameter}(, \w+)* : ", described, re.MULTILINE), parameter
    assert f"`{name}`" in PAGE or f"`Recognizer.{name}`" in PAGE or name == "indices"


def test_names_are_listed_before_they_are_used():
    done = subprocess.run(
        [sys.executable, "-c", "import recognizer; print(*dir(recognizer))"], capture_output=True, text=True, check=True
    )
    assert set(recognizer.__all__) <= set(done.stdout.split())


@pytest.mark.parametrize("module", [recognizer, front_door], ids=lambda module: module.__name__)
def test_the_examples_are_true(module, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0


@pytest.mark.slow
def test_the_programs_of_the_page_are_typed(tmp_path):
    pytest.importorskip("mypy", reason="mypy is not installed here; pip install -e .[dev]")
    program = "\n".join(re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
    options = ["--strict", "--follow-imports=silent", "--ignore-missing-imports", f"--cache-dir={tmp_path}"]

    def checked(text: str) -> tuple[int, str]:
        (tmp_path / "program.py").write_text(text, encoding="utf-8")
        call = [sys.executable, "-m", "mypy", *options, tmp_path / "program.py"]
        done = subprocess.run(call, cwd=REPOSITORY, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    status, told = checked(program)
    assert status == 0, told
    for wrong in ("digits.recognise(samples)", "digits.stream('8000')", "result.word.upper()", "Recognizer.train(7)"):
        status, told = checked(f"{program}\n{wrong}\n")
        assert (status, told.count("error:")) == (1, 1), (wrong, told)


# The notebook


def test_the_notebook_is_small_and_names_what_there_is():
    assert NOTEBOOK.stat().st_size < 300_000
    assert {cell["cell_type"] for cell in CELLS} == {"code", "markdown"}
    links = re.findall(r"\]\(([^)#\s]+)", "".join("".join(cell["source"]) for cell in CELLS))
    assert links
    for target in links:
        assert "://" in target or (NOTEBOOK.parent / target).exists(), target


def test_the_notebook_runs(monkeypatch):
    """Its cells in order, as a kernel runs them, without showing what comes last."""
    monkeypatch.chdir(NOTEBOOK.parent)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    names: dict[str, object] = {"__name__": "__main__"}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "FigureCanvasAgg is non-interactive")
        for cell in CELLS:
            if cell["cell_type"] == "code":
                exec(compile("".join(cell["source"]), NOTEBOOK.name, "exec"), names)
    names["plt"].close("all")
    assert names["result"].word == "seven"
    assert isinstance(names["path"], np.ndarray)


@pytest.mark.slow
def test_the_notebook_runs_in_a_kernel():
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed here; pip install -e .[dev]")
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed here; pip install -e .[dev]")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed here; pip install -e .[dev]")
    read = nbformat.read(NOTEBOOK, 4)
    nbformat.validate(read)
    done = nbclient.NotebookClient(read, resources={"metadata": {"path": str(NOTEBOOK.parent)}}, timeout=300).execute()
    outputs = [output for cell in done.cells for output in cell.get("outputs", ())]
    assert [output for output in outputs if output.get("name") == "stderr"] == []
    tables = [output["data"]["text/html"] for output in outputs if "text/html" in output.get("data", {})]
    assert any("seven" in table for table in tables)
