"""The page on the theory is kept true: its names and tests exist, its examples give what they show."""

from __future__ import annotations

import ast
import doctest
import re
import sys
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path

import pytest

import recognizer
from recognizer import Recognizer

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = (Path(recognizer.__file__).parent / "THEORY.md").read_text(encoding="utf-8")
FORMULAS = (  # how the headings begin, in the order of the course
    "Gaussian density",
    "Log likelihood",
    "Maximum likelihood estimate",
    "K-means",
    "EM for mixtures",
    "Forward algorithm",
    "Backward algorithm",
    "Viterbi algorithm",
    "Re-estimation of initial and transition probabilities",
    "Re-estimation of mixture weights",
    "Re-estimation of means",
    "Re-estimation of variances",
    "Re-estimation of discrete output probabilities",
    "Re-estimation of a semi-continuous codebook",
    "Viterbi training",
    "MAP of the means",
    "MAP by interpolation of models",
    "MLLR",
)
WITH_NUMBERS = {
    "Gaussian density",
    "Log likelihood",
    "Forward algorithm",
    "Viterbi algorithm",
    "MAP of the means",
    "MLLR",
}
HEADING = re.compile(r"^## (.+?) ([^ ]*[\u4e00-\u9fff][^ ]*)$", re.MULTILINE)
SECTIONS = {
    match[1]: part
    for part in re.split(r"^(?=## )", PAGE, flags=re.MULTILINE)[1:]
    if (match := HEADING.match(part)) is not None
}
QUOTED = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", PAGE, flags=re.MULTILINE | re.DOTALL))
NAMES = sorted({name for name in QUOTED if re.fullmatch(r"[A-Za-z_]\w*(\.\w+)+", name)})
TESTS = sorted({name for name in QUOTED if "::" in name or name.startswith("tests/")})


def resolved(name: str) -> object:
    """What a dotted name stands for: a module, or something in one, or a field of a dataclass in one."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found = import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[end:]:
            if is_dataclass(found) and attribute in {field.name for field in fields(found)}:
                return found
            found = getattr(found, attribute)
        return found
    raise AttributeError(name)


def functions_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def labelled(section: str, label: str) -> list[str]:
    """The names in backticks on the line of a label."""
    [line] = re.findall(rf"^\* \*\*{label}\*\* (.+)$", section, flags=re.MULTILINE)
    return re.findall(r"`([^`]+)`", line)


def test_every_heading_has_its_chinese_term():
    headings = re.findall(r"^#+ .+$", PAGE, flags=re.MULTILINE)
    assert [heading for heading in headings if not re.search(r"[\u4e00-\u9fff]", heading)] == []
    assert len(SECTIONS) == len(re.findall(r"^## ", PAGE, flags=re.MULTILINE))


def test_sections_come_in_the_order_of_the_course():
    assert tuple(SECTIONS) == ("From features to answer", *FORMULAS, "Beyond the course")


@pytest.mark.parametrize("section", FORMULAS)
def test_every_formula_names_what_computes_and_what_checks_it(section):
    text = SECTIONS[section]
    assert text.count("$$") >= 2
    assert len(re.findall(r"^\* \*\*Source\*\* .+\.$", text, flags=re.MULTILINE)) == 1
    computed, checked = labelled(text, "Computed by"), labelled(text, "Checked by")
    assert computed
    assert checked
    assert set(computed) <= set(NAMES)
    assert all(callable(resolved(name)) for name in computed)
    assert set(checked) <= set(TESTS)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_exists(name):
    assert name.startswith("recognizer.")
    assert resolved(name) is not None


STEPS = re.findall(r"^\d\. (.+?):", PAGE, flags=re.MULTILINE)


def calls_of(work) -> list[str]:
    """Functions of the package that are called while something is done, by their whole names, in order."""
    called = []

    def note(frame, event, argument):
        module = frame.f_globals.get("__name__", "")
        if event == "call" and module.startswith("recognizer."):
            called.append(f"{module}.{frame.f_code.co_qualname}")

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return called


def test_recognition_runs_what_the_page_says_in_that_order():
    digits = Recognizer.load("digits")
    called = calls_of(lambda: digits.recognize(REPOSITORY / "audio_samples" / "seven_slt_0.wav"))
    named = [name for step in STEPS for name in re.findall(r"`([^`]+)`", step)]
    assert len(named) == 10
    first = [called.index(name) for name in named]
    assert first == sorted(first)
    run = {name.rpartition(".")[2] for name in called if name.startswith("recognizer.acoustics.recursions.")}
    assert {"viterbi", "viterbi_score", "free_loop"} <= run
    assert not run & {"forward", "backward", "soft_posteriors", "scaled_posteriors", "log_posteriors"}


@pytest.mark.parametrize(
    "name",
    [
        "recognizer.acoustics.recursions.fore",
        "recognizer.nothing",
        "recognizer.acoustics.chain.Chain.of_nothing",
        "hmm.x",
    ],
)
def test_a_name_that_does_not_exist_is_noticed(name):
    with pytest.raises(AttributeError):
        resolved(name)


@pytest.mark.parametrize("name", TESTS)
def test_every_test_exists(name):
    file, _, function = name.partition("::")
    assert function.startswith("test_")
    assert function in functions_in(REPOSITORY / file)


def test_math_is_closed_and_lines_of_it_stand_alone():
    without_code = re.sub(r"^```.*?^```", "", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert without_code.count("$$") % 2 == 0
    for line in without_code.splitlines():
        if "$$" in line:
            assert re.fullmatch(r"\$\$ .+ \$\$", line), line
            assert line.count("{") - line.count(r"\{") == line.count("}") - line.count(r"\}"), line
        else:
            assert line.count("$") % 2 == 0, line


EXAMPLES = {
    name: test
    for name, text in SECTIONS.items()
    if (test := doctest.DocTestParser().get_doctest(text, {}, name, "THEORY.md", 0)).examples
}


def test_sections_have_examples_with_numbers():
    assert set(EXAMPLES) >= WITH_NUMBERS
    assert all(any(example.want for example in test.examples) for test in EXAMPLES.values())
    assert sum(len(test.examples) for test in EXAMPLES.values()) == PAGE.count("\n>>> ")


@pytest.mark.parametrize("section", EXAMPLES)
def test_examples_give_what_the_page_shows(section):
    runner, said = doctest.DocTestRunner(verbose=False), []
    runner.run(EXAMPLES[section], out=said.append, clear_globs=False)
    assert runner.summarize(verbose=False).failed == 0, "".join(said)


def test_the_readme_leads_to_it():
    assert "(recognizer/THEORY.md)" in (REPOSITORY / "README.md").read_text(encoding="utf-8")
