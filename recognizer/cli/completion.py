"""`recognizer completion`: shells that complete commands, options, and names of models, speakers and microphones."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from recognizer.cli.options import DebugOption, JsonOption, QuietOption, usage_error
from recognizer.cli.reporting import print_json, reports_errors, say
from recognizer.errors import RecognizerError, shown

if TYPE_CHECKING:
    from typer import CallbackParam
    from typer.core import TyperCommand, TyperGroup

# Each script gives this command what was typed so far, the word to be completed last; it prints a line for each way to
# go on. Where there is none, the shell completes the names of files.
SCRIPTS = {
    "bash": r"""# Tab completes what `recognizer` knows.
_recognizer() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        COMPREPLY+=("$line")
    done < <(recognizer completion bash -- "${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null)
}
complete -o bashdefault -o default -F _recognizer recognizer""",
    "zsh": r"""# Tab completes what `recognizer` knows.
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
_recognizer() {
    local -a found
    found=("${(@f)$(recognizer completion zsh -- "${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n "$found[1]" ]]; then
        _describe recognizer found
    else
        _files
    fi
}
compdef _recognizer recognizer""",
    "fish": r"""# Tab completes what `recognizer` knows.
function __recognizer_complete
    set -l words (commandline -opc)
    set -l found (recognizer completion fish -- $words[2..-1] (commandline -ct) 2>/dev/null)
    if test (count $found) -gt 0
        string replace ' | ' \t -- $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c recognizer -f -a '(__recognizer_complete)'""",
}
ENDED = re.compile(r"(?<!\\)\s$")  # after which a new word begins
PLAIN = re.compile(r"([^\w@%+=:,./-])")  # what bash does not take as it stands


@reports_errors
def completion(
    context: typer.Context,
    shell: Annotated[str, typer.Argument(help="The shell.", metavar="bash|zsh|fish")],
    typed: Annotated[
        list[str] | None,
        typer.Argument(help="What was typed, as the shell tells it.", metavar="[WORD]...", hidden=True),
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Print what lets a shell complete commands, options and names.

    Put it where your shell begins, as below, and open a new terminal.
    """
    if shell not in SCRIPTS:
        raise usage_error(f"{shown(shell)} is not {', '.join(SCRIPTS)}")
    if not typed:
        print_json({"shell": shell, "script": SCRIPTS[shell]}) if as_json else _say_lines(SCRIPTS[shell])
        return
    words, breaks = (_split(typed[0]), "".join(typed[1:])) if shell == "bash" else (typed, "")
    root = context.find_root()
    found = sorted(set(candidates(root.command, words)))
    if as_json:
        print_json([value for value, _ in found])
        return
    for value, about in found:
        if value.isprintable():  # whoever has other names has to type them
            say(_line(shell, value, about, words[-1], breaks))


def _say_lines(text: str) -> None:
    for line in text.split("\n"):
        say(line)


def _split(line: str) -> list[str]:
    """The words of a line after the first, the last as far as it was typed, which may be empty."""
    for missing in ("", '"', "'"):  # a quote may be open
        try:
            words = shlex.split(line + missing)
        except ValueError:
            continue
        return words[1:] + ([""] if not missing and ENDED.search(line) else [])
    return [""]


def _line(shell: str, value: str, about: str, word: str, breaks: str) -> str:
    """A way to go on, as the shell reads it."""
    match shell:
        case "bash":  # which replaces what follows the last sign that it divides words at, and an @ with it
            divided = max(0, *(word.rfind(sign) + (sign != "@") for sign in breaks + "=" if sign in "=:@"))
            return PLAIN.sub(r"\\\1", value[divided:])
        case "zsh":
            return value.replace("\\", "\\\\").replace(":", "\\:") + (f":{about}" if about else "")
    return f"{value} | {about}" if about else value  # no name has such a line in it


def candidates(program: TyperGroup, words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What the last word may become, with what it is.

    Parameters
    ----------
    program : with all commands
    words : what stands after the name of the program; the last one is to be completed
    """
    *before, last = words
    names, command = (), program
    while before and before[0] in _below(command):
        names, command = (*names, before[0]), command.commands[before.pop(0)]
    name, mark, _ = last.partition("=")
    prefix = ""
    if (asked := _option(command, name)) and mark:
        ways, prefix = _values(names, asked), f"{name}="
    elif before and (asked := _option(command, before[-1])):
        ways = _values(names, asked)
    elif last.startswith("-"):
        ways = [(option, parameter.help) for option, parameter in _options(command).items()]
    elif hasattr(command, "commands"):
        ways = _commands(command) if not before else []
    else:
        ways = _values(names, _argument(command, before))
    for value, about in ways:
        if (prefix + value).startswith(last):
            yield prefix + value, about or ""


def _below(command: TyperCommand | TyperGroup) -> Mapping[str, TyperCommand]:
    return getattr(command, "commands", {})


def _commands(group: TyperGroup) -> list[tuple[str, str]]:
    """The names of commands; those of the program are not imported for it."""
    if isinstance(group.commands, dict):
        return [(name, child.short_help) for name, child in group.commands.items()]
    return [(name, about) for name, (_, about) in group.commands.summaries.items()]


def _options(command: TyperCommand | TyperGroup) -> dict[str, CallbackParam]:
    """The options of a command, by all their names."""
    options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
    return {name: parameter for parameter in options for name in parameter.opts}


def _option(command: TyperCommand | TyperGroup, word: str) -> CallbackParam | None:
    """The option of that name, if it takes a value."""
    option = _options(command).get(word)
    return None if option is None or option.is_flag else option


def _argument(command: TyperCommand, before: Sequence[str]) -> CallbackParam | None:
    """The argument that comes after what was typed, if there is one."""
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    values = {place + 1 for place, word in enumerate(before) if _option(command, word)}
    count = sum(not word.startswith("-") and place not in values for place, word in enumerate(before))
    if arguments and count >= len(arguments) and arguments[-1].nargs == -1:
        return arguments[-1]
    return arguments[count] if count < len(arguments) else None


def _values(names: tuple[str, ...], parameter: CallbackParam | None) -> list[tuple[str, str]]:
    """What a parameter may be, as far as it can be told; nothing where it is a file, or anything else."""
    if parameter is None or parameter.type.name == "path":
        return []
    fixed = [(word, "") for word in parameter.metavar.split("|") if word.islower()] if "|" in parameter.metavar else []
    is_argument = parameter.param_type_name == "argument"
    about = parameter.name if not is_argument else {"models": "model", "speakers": "speaker"}.get(names[0], names[0])
    if is_argument and parameter.name == "new":
        return []
    with suppress(RecognizerError, OSError):
        return fixed or SOURCES.get(about, list)()
    return []


def _models() -> list[tuple[str, str]]:
    from recognizer.model import folders, installed

    own = folders()[0]
    return [(name, "your own" if file.parent == own else "installed") for name, file in installed().items()]


def _speakers() -> list[tuple[str, str]]:
    from recognizer.speakers import store

    return [(name, "speaker") for name in store.names()]


def _devices() -> list[tuple[str, str]]:
    from recognizer.sound.microphone import devices

    return [(str(device.index), device.name) for device in devices()]


# By the name of an option, or by the command that an argument belongs to.
SOURCES: dict[str, Callable[[], list[tuple[str, str]]]] = {
    "model": _models,
    "export": _models,
    "speaker": _speakers,
    "enroll": _speakers,
    "device": _devices,
}
