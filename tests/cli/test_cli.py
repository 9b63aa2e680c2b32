"""What all commands share: help, exit status, one-line errors, what goes to which stream."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from typer.testing import CliRunner

import recognizer
from recognizer.cli import COMMANDS as SUMMARIES
from recognizer.cli import app
from recognizer.cli.examples import EXAMPLES
from recognizer.cli.reporting import OPTION_FOR, echo_wrapped, narrowed, print_table, with_options
from recognizer.errors import ModelError


def commands() -> Iterator[tuple[tuple[str, ...], object]]:
    """Names and objects of all commands and groups, the whole program included."""
    waiting = [((), typer.main.get_command(app))]
    while waiting:
        names, command = waiting.pop()
        yield names, command
        waiting += [((*names, name), child) for name, child in getattr(command, "commands", {}).items()]


COMMANDS = dict(commands())
LEAVES = [names for names, command in COMMANDS.items() if not hasattr(command, "commands")]
WITHOUT_FILES = {("devices",), ("record",), ("models", "list"), ("config",), ("completion",)}
WITH_FILES = [names for names in LEAVES if names not in WITHOUT_FILES and names[0] != "speakers"]


def arguments(names: tuple[str, ...], **values: object) -> list[object]:
    """A call of a command, with values for the model or the corpus that it needs."""
    required = {
        ("live",): ["--from-file", values.get("sound", "x.wav"), "--fast", "--model", values.get("model", "x.npz")],
        ("batch",): [values.get("sound", "x.wav"), "--model", values.get("model", "x.npz")],
        ("transcribe",): [values.get("sound", "x.wav"), "--model", values.get("model", "x.npz")],
        ("serve",): ["--port", "0", "--model", values.get("model", "x.npz")],
        ("check",): [values.get("corpus", "x")],
        ("train",): [values.get("corpus", "x"), "--output", values.get("output", "x.npz")],
        ("record",): ["one", "--output", values.get("corpus", "x")],
        ("evaluate",): [values.get("corpus", "x"), "--model", values.get("model", "x.npz")],
        ("align",): [values.get("sound", "x.wav"), "--model", values.get("model", "x.npz")],
        ("cut",): [values.get("sound", "x.wav"), "--words", "hum", "--model", values.get("model", "x.npz")],
        ("export",): [values.get("model", "x.npz"), "--htk", values.get("output", "x.mmf")],
        ("import",): [values.get("corpus", "x.mmf"), "--output", values.get("output", "x.npz")],
        ("enroll",): ["eve", "--from", values.get("corpus", "x"), "--model", values.get("model", "x.npz")],
        ("devices",): [],
        ("models", "list"): [],
        ("models", "show"): [values.get("model", "x.npz")],
        ("models", "compare"): [values.get("model", "x.npz"), values.get("model", "x.npz"), values.get("corpus", "x")],
        ("models", "add"): [values.get("model", "x.npz"), "--name", "new"],
        ("models", "remove"): [values.get("own", values.get("model", "x"))],
        ("models", "rename"): [values.get("own", values.get("model", "x")), "new"],
        ("models", "default"): [values.get("model", "x.npz")],
        ("config",): [],
        ("completion",): ["bash"],
        ("speakers", "list"): [],
        ("speakers", "show"): ["eve"],
        ("speakers", "rename"): ["eve", "anna"],
        ("speakers", "remove"): ["eve", "--yes"],
        ("speakers", "export"): ["eve", values.get("output", "x.zip")],
        ("speakers", "import"): [values.get("output", "x.zip")],
        ("speakers", "refresh"): [],
        ("speakers", "forget"): ["eve", "hum/1.wav"],
    }
    return [*names, *required[names]]


def test_the_commands_are_these():
    names = {("live",), ("batch",), ("train",), ("record",), ("enroll",), ("evaluate",), ("align",), ("devices",)}
    names |= {("export",), ("import",), ("cut",), ("transcribe",), ("check",), ("config",), ("completion",)}
    names |= {("serve",)}
    of_speakers = {"list", "show", "rename", "remove", "export", "import", "refresh", "forget"}
    of_models = ("list", "show", "compare", "add", "remove", "rename", "default")
    groups = {("models", name) for name in of_models} | {("speakers", name) for name in of_speakers}
    assert set(LEAVES) == names | groups


# Help


def test_what_the_help_says_of_a_command_is_what_the_command_says():
    for name, (_, summary) in SUMMARIES.items():
        assert " ".join(COMMANDS[name,].help.split("\n\n")[0].split()) == summary


def test_the_help_imports_no_command():
    code = """
import sys
from recognizer.cli import main
sys.argv = ["recognizer", "--help"]
try:
    main()
except SystemExit as done:
    assert not done.code
print(*sorted(name for name in sys.modules if name.startswith("recognizer")))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "recognizer recognizer.cli"


def test_python_m_is_the_command():
    call = [sys.executable, "-m", "recognizer"]
    help_ = subprocess.run([*call, "--help"], capture_output=True, text=True, timeout=60, check=True)
    assert all(f"\n  {name} " in help_.stdout for name in SUMMARIES)
    wrong = subprocess.run([*call, "bogus"], capture_output=True, text=True, timeout=60, check=False)
    assert (wrong.returncode, wrong.stdout) == (2, "")


def test_the_module_is_called_as_the_command():
    for call, status in ((["--help"], 0), (["batch", "--help"], 0), (["bogus"], 2)):
        done = subprocess.run([sys.executable, "-m", "recognizer", *call], capture_output=True, text=True, timeout=60)
        assert done.returncode == status
        assert (done.stdout + done.stderr).startswith("Usage: recognizer ")


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_the_version(run, option):
    outcome = run(option)
    assert (outcome.status, outcome.stdout, outcome.stderr) == (0, f"recognizer {recognizer.__version__}\n", "")


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_help_is_short(run, names):
    """By its short option, too; it ends with examples, and fits the narrow terminals that there are."""
    outcome = run(*names, "-h")
    assert (outcome.status, outcome.stdout) == (0, run(*names, "--help").stdout)
    assert all(len(line) <= 80 for line in outcome.stdout.splitlines())
    assert not re.search(r"<\w+( range)?>|\w\.\.\.$", outcome.stdout, re.MULTILINE), "all is named, nothing cut off"
    if names:
        lines = EXAMPLES[" ".join(names)]
        assert outcome.stdout.endswith("\nExamples:\n" + "".join(f"  {line}\n" for line in lines))


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_help_names_every_option_and_command(run, names):
    outcome = run(*names, "--help")
    assert outcome.status == 0
    assert outcome.stderr == ""
    assert f"Usage: {' '.join(('recognizer', *names))}" in outcome.stdout
    command = COMMANDS[names]
    told = outcome.stdout.replace(",", " ").split()
    for parameter in command.params:
        for option in (*parameter.opts, *parameter.secondary_opts) if parameter.param_type_name == "option" else ():
            assert option in told
        assert getattr(parameter, "help", None), f"{parameter.name} is explained"
    for name, child in getattr(command, "commands", {}).items():
        assert name in told
        assert " ".join(child.help.split()[:3]) in outcome.stdout


@pytest.mark.parametrize("names", LEAVES, ids=" ".join)
def test_every_command_can_be_quiet_and_debugged(names):
    options = {option for parameter in COMMANDS[names].params for option in parameter.opts}
    assert {"--json", "--quiet", "-q", "--debug"} <= options


def test_help_costs_no_heavy_import():
    code = """
import sys
from recognizer.cli import main
sys.argv = ["recognizer", "train", "--help"]
try:
    main()
except SystemExit as done:
    assert not done.code
heavy = {"numpy", "scipy", "librosa", "soundfile", "joblib", "rich", "matplotlib"} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--mixtures" in done.stdout


# Wrong usage


@pytest.mark.parametrize(
    "call",
    [
        ["bogus"],
        ["batch"],
        ["batch", "a.wav", "--bogus"],
        ["batch", "a.wav", "--jobs", "-1"],
        ["batch", "a.wav", "--jobs", "two"],
        ["batch", "a.wav", "--model"],
        ["batch", "a.wav", "--json", "--csv"],
        ["train"],
        ["train", "corpus"],
        ["record"],
        ["record", "one", "--output"],
        ["batch", "a.wav", "--output", "b.csv"],
        ["transcribe"],
        ["transcribe", "a.wav", "--json", "--csv"],
        ["live", "a.wav"],
        ["live", "--fast"],
        ["live", "--csv"],
        ["devices", "1"],
        ["devices", "--device", "1"],
        ["align"],
        ["align", "a.wav", "b.wav"],
        ["align", "a.wav", "--plot", "a.jpg"],
        ["evaluate"],
        ["evaluate", "a", "b"],
        ["check"],
        ["check", "a", "--layout"],
        ["enroll", "eve", "--layout", "{word}/*"],
        ["evaluate", "a", "--csv", "--json"],
        ["models", "bogus"],
        ["models", "show"],
        ["models", "list", "more"],
        ["models", "show", "digits", "--word", "one"],
        ["models", "show", "digits", "--plot", "a.jpg"],
        ["models", "show", "digits", "--html", "a.htm"],
        ["models", "show", "digits", "--html", "a.html", "--json"],
        ["models", "compare", "digits", "digits"],
        ["enroll"],
        ["enroll", "eve", "anna"],
        ["speakers", "bogus"],
        ["speakers", "show"],
        ["speakers", "rename", "eve"],
        ["speakers", "export", "eve"],
        ["speakers", "forget", "eve"],
        ["speakers", "list", "more"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_2(run, call):
    outcome = run(*call)
    assert outcome.status == 2
    assert outcome.stdout == ""
    assert "Error: " in outcome.stderr
    assert "Traceback" not in outcome.stderr


@pytest.mark.parametrize("call", [[], ["models"], ["speakers"]])
def test_no_command_gives_help(run, call):
    outcome = run(*call)
    assert "Usage: recognizer" in outcome.stdout + outcome.stderr
    assert "Commands:" in outcome.stdout + outcome.stderr


@pytest.mark.parametrize(
    ("call", "near"),
    [
        (["traim"], "train"),
        (["models", "lst"], "list"),
        (["batch", "a.wav", "--modle", "x"], "--model"),
        (["live", "--treshold", "x"], "--threshold"),
    ],
    ids=" ".join,
)
def test_a_slip_is_told_with_what_was_meant(run, call, near):
    outcome = run(*call)
    assert outcome.status == 2
    assert re.search(rf"No such (command|option).*{near}", outcome.stderr.splitlines()[-1])


# Patterns that no shell has expanded


@pytest.fixture
def numbered(tmp_path, monkeypatch, recordings) -> Path:
    """The folder of this call, with three recordings in it, one of which has a name like a pattern."""
    monkeypatch.chdir(tmp_path)
    for name in ("b.wav", "a.wav", "[ab].wav"):
        Path(name).write_bytes((recordings / "hum_anna_0.wav").read_bytes())
    return tmp_path


def heard(outcome) -> list[str]:
    assert outcome.status == 0, outcome.stderr
    return [json.loads(line)["file"] for line in outcome.stdout.splitlines()]


def test_a_pattern_is_all_that_fits_it(run, numbered, model_file):
    call = ["batch", "--json", "--model", model_file]
    assert heard(run(*call, "?.wav")) == ["a.wav", "b.wav"]
    assert heard(run(*call, "b.wav", "a*")) == ["b.wav", "a.wav"]
    assert heard(run(*call, "[ab].wav")) == ["[ab].wav"], "it is there as it is written"
    (numbered / "[ab].wav").unlink()
    assert heard(run(*call, "[ab].wav")) == ["a.wav", "b.wav"]


def test_a_pattern_for_one_file(run, numbered, model_file):
    assert run("align", "a*", "--model", model_file).status == 0
    for pattern, told in (("*.wav", "*.wav fits 3 files, and one is wanted"), ("*.flac", "nothing fits *.flac")):
        outcome = run("align", pattern, "--model", model_file)
        assert (outcome.status, outcome.stdout) == (2, "")
        assert told in outcome.stderr.splitlines()[-1]


def test_a_file_to_write_is_no_pattern(run, enroll, numbered):
    enroll("eve")
    (numbered / "out1.zip").write_bytes(b"stays")
    assert run("speakers", "export", "eve", "out[1].zip").status == 0
    assert (numbered / "out[1].zip").exists()
    assert (numbered / "out1.zip").read_bytes() == b"stays"


# Errors


@pytest.mark.parametrize("names", WITH_FILES, ids=" ".join)
@pytest.mark.parametrize("options", [[], ["--quiet"], ["--json"]])
def test_an_error_is_one_line_and_1(run, tmp_path, names, options):
    gone = tmp_path / "gone.npz"
    outcome = run(*arguments(names, model=gone, corpus=gone, output=tmp_path / "new.npz"), *options)
    assert outcome.status == 1
    assert outcome.stdout == ""
    line = outcome.stderr.removesuffix("\n")
    assert line.isprintable(), "one line"
    assert line.startswith("error: ")
    assert str(gone) in line
    assert "; " in line, "with a remedy"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("names", WITH_FILES, ids=" ".join)
def test_debug_lets_the_traceback_through(tmp_path, names):
    gone = tmp_path / "gone.npz"
    call = [*arguments(names, model=gone, corpus=gone, output=tmp_path / "new.npz"), "--debug"]
    result = CliRunner().invoke(app, list(map(str, call)))
    assert result.exit_code == 1
    assert type(result.exception).__module__ == "recognizer.errors"
    assert str(gone) in str(result.exception)


def test_debug_shows_where_the_error_came_from(start, tmp_path):
    (tmp_path / "m.npz").write_bytes(b"PK\x03\x04")
    plain, debug = (start("models", "show", tmp_path / "m.npz", *more) for more in ([], ["--debug"]))
    assert (plain.status, debug.status) == (1, 1)
    assert "Traceback" not in plain.stderr
    assert plain.stderr.count("\n") == 1
    assert "Traceback" in debug.stderr
    assert "BadZipFile" in debug.stderr, "and its cause"
    assert "ModelError" in debug.stderr


# Interruption


@pytest.mark.parametrize("names", LEAVES, ids=" ".join)
def test_an_interrupted_command_is_130(run, monkeypatch, recordings, model_file, tmp_path, home, names):
    (home / "models").mkdir(parents=True)
    (home / "models" / "m.npz").write_bytes(model_file.read_bytes())

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("recognizer.corpus.find", interrupted)
    monkeypatch.setattr("recognizer.corpus.read_corpus", interrupted)
    monkeypatch.setattr("recognizer.model.Model.load", interrupted)
    monkeypatch.setattr("recognizer.htk.parser.parse_file", interrupted)
    monkeypatch.setattr("recognizer.sound.microphone.devices", interrupted)
    monkeypatch.setattr("recognizer.speakers.store.names", interrupted)
    monkeypatch.setattr("recognizer.speakers.store.import_", interrupted)
    monkeypatch.setattr("recognizer.cli.defaults.check", interrupted)
    monkeypatch.setattr("recognizer.cli.completion._say_lines", interrupted)
    outcome = run(*arguments(names, model=model_file, corpus=recordings, output=tmp_path / "new.npz", own="m"))
    assert outcome.status == 130
    assert outcome.stdout == ""
    assert outcome.stderr == "interrupted\n"
    assert not (tmp_path / "new.npz").exists()


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_signal_ends_it_with_130(script, model_file, recordings, tmp_path):
    """The first file is recognised; reading the second, a pipe that says nothing, is interrupted."""
    pipe = tmp_path / "pipe.wav"
    os.mkfifo(pipe)
    call = [*script, "batch", "--json", "--model", model_file, recordings / "hum_anna_0.wav", pipe]
    listens = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}  # background jobs of a shell do not
    process = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **listens)
    writer, deadline = None, time.monotonic() + 50
    while writer is None and time.monotonic() < deadline and process.poll() is None:
        try:
            writer = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)  # possible once the program reads
        except OSError:
            time.sleep(0.02)
    assert writer is not None
    time.sleep(0.5)  # until it waits in read(): a signal just before a system call does not end that call
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    os.close(writer)
    assert process.returncode == 130
    assert stderr == b"interrupted\n"


# Output that cannot be written


@pytest.fixture
def nobody_reads() -> Iterator[int]:
    """The writing end of a pipe whose reader, such as `head`, has gone."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


@pytest.mark.skipif(sys.platform == "win32", reason="pipes break otherwise there")
@pytest.mark.parametrize("call", [["batch"], ["batch", "--csv"], ["evaluate"], ["models", "show"]], ids=" ".join)
def test_a_reader_that_leaves_is_no_error(start, nobody_reads, recordings, model_file, call):
    names = tuple(word for word in call if not word.startswith("-"))
    options = [word for word in call if word.startswith("-")]
    call = arguments(names, sound=recordings, corpus=recordings, model=model_file)
    outcome = start(*call, *options, stdout=nobody_reads)
    assert (outcome.status, outcome.after_told if call[0] == "evaluate" else outcome.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full disk to write to")
@pytest.mark.parametrize("options", [[], ["--csv"]])
def test_a_full_disk_is_one_line(start, recordings, model_file, options):
    with open("/dev/full", "wb") as full:
        outcome = start("batch", recordings, "--model", model_file, *options, stdout=full)
    assert outcome.status == 1
    assert outcome.stderr.startswith("error: ")
    assert "No space left on device" in outcome.stderr
    assert outcome.stderr.count("\n") == 1


def test_names_that_the_terminal_cannot_show(start, recordings, model_file, tmp_path):
    names = ["语音.wav", "\udce9.wav"]
    for name in names:
        try:
            os.link(recordings / "hum_anna_0.wav", tmp_path / name)
        except (OSError, UnicodeError):
            pytest.skip("this file system has no such names")
    outcome = start("batch", "--json", tmp_path, "--model", model_file, env={"PYTHONIOENCODING": "utf-8:strict"})
    assert (outcome.status, outcome.stderr) == (0, "")
    found = {json.loads(line)["file"]: json.loads(line)["word"] for line in outcome.stdout.splitlines()}
    assert found == {str(tmp_path / name): "hum" for name in names}


# Warnings


@pytest.fixture
def warn(monkeypatch) -> Callable[[type[Warning]], None]:
    """Let `models list` warn."""

    def with_category(category: type[Warning]) -> None:
        import warnings

        def installed():
            warnings.warn("take care; do that", category, stacklevel=1)
            warnings.warn("take care; do that", category, stacklevel=1)
            return {}

        monkeypatch.setattr("recognizer.model.installed", installed)

    return with_category


def test_warnings_for_the_user_are_lines_on_stderr(run, warn):
    from recognizer.errors import RecognizerWarning

    warn(RecognizerWarning)
    outcome = run("models", "list")
    assert "warning: take care; do that\n" in outcome.stderr
    assert outcome.stdout == ""
    assert "py:" not in outcome.stderr
    assert run("models", "list", "--quiet").stderr == ""


def test_other_warnings_stay_what_they_are(warn):
    warn(DeprecationWarning)
    with pytest.raises(DeprecationWarning):
        CliRunner().invoke(app, ["models", "list"], catch_exceptions=False)


def test_errors_of_the_program_itself_are_one_line_too_but_whole_with_debug(run, monkeypatch):
    def broken():
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr("recognizer.model.installed", broken)
    outcome = run("models", "list")
    assert outcome.status == 1
    assert "ZeroDivisionError: by nothing" in outcome.stderr
    assert "--debug" in outcome.stderr
    assert outcome.stderr.count("\n") == 1
    assert isinstance(CliRunner().invoke(app, ["models", "list", "--debug"]).exception, ZeroDivisionError)


def test_an_error_without_a_file_is_still_one_line(run, monkeypatch):
    def broken():
        raise ModelError("something; do that")

    monkeypatch.setattr("recognizer.model.installed", broken)
    outcome = run("models", "list")
    assert (outcome.status, outcome.stdout, outcome.stderr) == (1, "", "error: something; do that\n")


# What the package advises, and what one types


@pytest.mark.parametrize("advice", OPTION_FOR)
def test_what_the_package_advises_is_told_as_an_option(advice):
    """Each advice is given by some message of the package, and the option for it is one that there is."""
    package = Path(recognizer.__file__).parent
    texts = "".join(p.read_text(encoding="utf-8") for p in package.rglob("*.py") if "cli" not in p.parts)
    whole = re.sub(r'"\s*\n\s*f?"', "", texts)  # a string over several lines
    said = [words for words in advice.split(r"(\d+)") if words]
    assert all(words in whole for words in said)
    told = with_options(advice.replace(r"(\d+)", "3"))
    [option] = re.findall(r"--[a-z]+", told)
    known = {name for _, command in commands() for parameter in command.params for name in parameter.opts}
    assert option in known


def test_what_is_no_advice_is_told_as_it_is():
    line = "choose another: a mixture of 3, in states.npz; write it elsewhere"
    assert with_options(line) == line


def test_an_advice_names_the_number():
    assert with_options("record more or train with mixtures of 12") == "record more or train with --mixtures 12"


def paths() -> Iterator[tuple[str, ...]]:
    """A call of each command for each path that it takes, that path being empty."""
    for names, command in commands():
        for path in command.params:
            if path.type.name == "path":
                call = list(names)
                for each in command.params:
                    if each.required or each is path:
                        call += [option for option in each.opts if option.startswith("--")]
                        call.append("" if each is path else "x")
                yield tuple(call)


@pytest.mark.parametrize("call", list(paths()), ids=" ".join)
def test_an_empty_path_is_wrong_usage_and_not_the_present_folder(run, call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = run(*call)
    assert (outcome.status, outcome.stdout) == (2, "")
    assert "the name is empty; write one, or . for the folder you are in" in " ".join(outcome.stderr.split())
    assert list(tmp_path.glob("[!h]*")) == []  # beside the home of this test


def test_commands_with_paths_are_found():
    assert {("batch", ""), ("train", "x", "--output", ""), ("export", "x", "--parameters", "")} <= set(paths())


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (PermissionError(13, "Permission denied", "a/b"), "error: a/b: Permission denied; see with --debug where it"),
        (OSError(5, "Input/output error"), "error: Input/output error; see with --debug where it happened"),
        (OSError(28, "No space left on device"), "error: No space left on device; make room on the disk"),
    ],
)
def test_what_the_system_refuses_is_told_without_a_guess(run, monkeypatch, error, told):
    def refuse() -> None:
        raise error

    monkeypatch.setattr("recognizer.model.installed", refuse)
    outcome = run("models", "list")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith(told)


# Tables


WIDE = [
    ("word", "right", "n", "accuracy %", "95 % interval", "bootstrap", "over"),
    ("北京" * 9, "1", "2", "50.0", "1.2 to 98.7", "0.0 to 100.0", "speakers"),
    ("مرحبا", "12", "12", "100.0", "75.8 to 100.0", "100.0 to 100.0", "speakers"),
    ("a/rather/long/path/of/a/model/that/is/kept/far/away.npz", "3", "40", "7.5", "1 to 2", "0 to 9", "recordings"),
    ("eve", "cannot be used"),
]


@pytest.mark.parametrize("columns", [30, 40, 80, 200])
def test_a_table_fits_the_terminal_and_its_numbers_are_aligned(monkeypatch, capsys, columns):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    print_table(WIDE, right={1, 2, 3, 4, 5})
    lines = capsys.readouterr().out.splitlines()
    assert max(map(cell_len, lines)) <= columns
    told = "\n".join(lines)
    for row in WIDE:
        for cell in row[1:]:
            assert cell in told, "nothing but names is shortened"
    for place in (1, 3, 5):
        head, cell = WIDE[0][place], WIDE[2][place]
        [above] = [line for line in lines if re.search(rf"(^|  ){head}(  |$)", line)]
        below = next(line for line in lines[lines.index(above) :] if line.startswith("مرحبا"))
        assert above.index(head) + len(head) == re.search(rf"  {cell}(  |$)", below).start() + 2 + len(cell)
    assert (columns == 200) is (len(lines) == len(WIDE))


def test_a_table_that_is_no_terminals_is_whole(capsys):
    print_table(WIDE)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(WIDE)
    assert all(cell in line for row, line in zip(WIDE, lines) for cell in row)


@given(st.text(), st.integers(1, 40))
def test_a_narrowed_text_is_no_wider(text, cells):
    told = narrowed(text, cells)
    assert cell_len(told) <= cells
    assert told == text or "…" in told
    assert told == text or cell_len(text) > cells


@pytest.mark.parametrize("columns", [30, 40])
def test_lines_of_wide_letters_are_wrapped_too(monkeypatch, capsys, columns):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    echo_wrapped("北京 " * 30 + "end", 4)
    first, *others = capsys.readouterr().out.splitlines()
    assert max(map(cell_len, (first, *others))) <= columns
    assert all(line.startswith("    北京") for line in others[:-1])
    assert " ".join(line.strip() for line in (first, *others)) == "北京 " * 30 + "end"


@pytest.mark.parametrize(("own", "threads"), [({}, "1"), ({"OPENBLAS_NUM_THREADS": "2"}, "2")])
def test_matrices_are_multiplied_by_one_thread_unless_somebody_wants_more(own, threads):
    """Two that wait for each other take longer where anything else works."""
    program = (
        "import sys, recognizer.cli as cli\n"
        "def app(**_):\n"
        "    assert 'numpy' not in sys.modules\n"
        "    import os, numpy; print(os.environ['OPENBLAS_NUM_THREADS'], os.environ['OMP_NUM_THREADS'])\n"
        "cli.app = app; cli.main()"
    )
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment | own, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [threads, "1"]
