"""What options are where a call leaves them out: as config.toml in the user's folder has it, and RECOGNIZER_MODEL."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from recognizer.cli.options import FIRST_MODEL, usage_error
from recognizer.errors import RecognizerError, cited, listed, shown
from recognizer.files.user_folder import silent_home
from recognizer.files.writing import make_private_folder, remedy, replacing

if TYPE_CHECKING:
    import typer
    from typer.core import TyperCommand

    Commands = Mapping[str, TyperCommand]

FILE = "config.toml"
MODEL = "RECOGNIZER_MODEL"
LARGEST = 2**20  # bytes; a page of settings has a thousandth of that
# Options that have the name of others, and mean something else: what is said for all commands is not said for these.
OWN = {("speakers", "refresh"): {"model"}, ("cut",): {"words"}, ("enroll",): {"words"}, ("record",): {"speaker"}}
# A default gives way to what a call says that does not go with it, or to what it does not say without which it is idle.
FORMS = {"as_json", "as_csv", "as_textgrid", "as_srt", "as_labels", "html"}
RIVALS = {form: FORMS - {form} for form in FORMS} | {"device": {"source", "from_file", "labelled", "unlabelled"}}
NEEDS = {("devices",): {"device": "test"}}
LINE_OF_MODEL = re.compile(r"""(\s*model\s*=\s*)("(?:[^"\\]|\\.)*"|'[^']*'|[^\s#]+)""")


def file() -> Path:
    """Where the user's defaults are, if there are any."""
    return silent_home() / FILE


def read() -> dict:
    """What the file says, as plain data; nothing where there is none.

    Raises
    ------
    typer.BadParameter
        if it cannot be read, or is not TOML.
    """
    path = file()
    try:
        with open(path, "rb") as opened:
            text = opened.read(LARGEST + 1)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise usage_error(f"{shown(path)} cannot be read ({error.strerror}); change its mode or remove it") from error
    if len(text) > LARGEST:
        raise usage_error(f"{shown(path)} has more than {LARGEST >> 20} MB, which no settings need; remove it")
    return parsed(text, path)


def parsed(text: bytes, path: Path) -> dict:
    """What a text in TOML says.

    Raises
    ------
    typer.BadParameter
        if it is not TOML.
    """
    import tomllib

    try:
        return tomllib.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise usage_error(f'{shown(path)} is not TOML ({error}); write lines such as model = "kitchen"') from error


def of(names: tuple[str, ...], command: TyperCommand, commands: Commands) -> dict[str, object]:
    """What the options of a command are where a call leaves them out, by the names of its parameters.

    Parameters
    ----------
    names : of the command and of the group that it is in
    command : that is called
    commands : all there are

    Raises
    ------
    typer.BadParameter
        if the file cannot be used: see `read`; it names what there is not; a value is none of the option.
    """
    said, options = read(), _options(command)
    for key in said:
        if key not in options and key not in commands:
            _check_known(key, commands)
    own = said
    for name in names:
        own = own.get(name, {})
        if not isinstance(own, dict):
            raise usage_error(f"{shown(file())}: {name} is a command; write {_heading(names)} above its options")
    for key in own:
        if key not in options:
            _refuse(f"{_heading(names)} {key}", key, options)
    shared = options.keys() - OWN.get(names, set())
    chosen = {key: value for key, value in said.items() if key in shared and not isinstance(value, dict)} | own
    for key in chosen:
        options[key].show_default = True  # in the help, though without the file there may be nothing to show
    found = {options[key].name: _value(key, value, options[key], command) for key, value in chosen.items()}
    return found | ({"model": os.environ[MODEL]} if "model" in shared and os.environ.get(MODEL) else {})


def check(commands: Commands) -> None:
    """Look at all that the file says, also of commands that are not called.

    Raises
    ------
    typer.BadParameter
        as `of`.
    """
    for names, command in leaves(commands):
        of(names, command, commands)
    for name, table in read().items():
        below = getattr(commands[name], "commands", {}) if name in commands else {}
        for key in table if below else ():
            if key not in below:
                _refuse(f"[{name}] {key}", key, below)


def leaves(commands: Commands) -> Iterator[tuple[tuple[str, ...], TyperCommand]]:
    """All commands with their names, those in groups for the groups."""
    for name, command in commands.items():
        below = getattr(command, "commands", {})
        yield from (((name, other), child) for other, child in below.items()) if below else [((name,), command)]


def give_way(names: tuple[str, ...], context: typer.Context) -> None:
    """Take back defaults of the user that do not go with what is called."""
    sources = {name: getattr(context.get_parameter_source(name), "name", None) for name in context.params}
    given = {name for name, source in sources.items() if source == "COMMANDLINE"}
    for parameter in context.command.params:
        needs = NEEDS.get(names, {}).get(parameter.name)
        if sources.get(parameter.name) == "DEFAULT_MAP" and (
            RIVALS.get(parameter.name, set()) & given or (needs and needs not in given)
        ):
            context.params[parameter.name] = parameter.default


def tell_origin(error: Exception) -> None:
    """Add to what is wrong with an option that it is not the call which says so."""
    context = getattr(error, "ctx", None)
    defaults = getattr(context, "default_map", None)
    for parameter in context.command.params if defaults else ():
        if getattr(context.get_parameter_source(parameter.name), "name", None) == "DEFAULT_MAP" and any(
            option in error.message.replace(",", " ").split() for option in parameter.opts
        ):
            where = MODEL if parameter.name == "model" and os.environ.get(MODEL) else shown(file())
            error.message += f" ({where} says so)"
            return


def model_of(command: str | None = None) -> str:
    """The model that a command, or any that has no default of its own, takes where a call names none."""
    said = read()
    own = said.get(command) if command else None
    own = own if isinstance(own, dict) else {}
    return os.environ.get(MODEL) or str(own.get("model") or said.get("model") or FIRST_MODEL)


def set_model(name: str | None) -> None:
    """Write down which model is the default, or that the first one is it; the rest of the file stays as it is.

    Raises
    ------
    typer.BadParameter
        if the file cannot be used or changed.
    RecognizerError
        if it cannot be written.
    """
    said = read()
    path = Path(os.path.realpath(file()))  # which may be a link to where somebody keeps all settings
    text = path.read_bytes().decode("utf-8-sig") if said or path.exists() else ""
    wanted = {key: value for key, value in said.items() if key != "model"} | ({} if name is None else {"model": name})
    changed = _with_model(text, name).encode(errors="surrogateescape")
    if _read_or_none(changed) != wanted:
        line = f"model = {json.dumps(name, ensure_ascii=False)}"
        raise usage_error(f"{shown(path)} cannot be changed safely, as it is written; put {line} there yourself")
    try:
        make_private_folder(path.parent)
        with replacing(path, private=True) as temporary:
            temporary.write_bytes(changed)
    except OSError as error:
        what_to_do = remedy(error, "change its mode or that of its folder, or set RECOGNIZER_HOME to another one")
        raise RecognizerError(f"{shown(path)} cannot be written: {error.strerror}; {what_to_do}") from error


def _with_model(text: str, name: str | None) -> str:
    """A text in TOML in which another model is named, or none."""
    lines = text.splitlines(keepends=True)
    tables = (number for number, line in enumerate(lines) if line.lstrip().startswith("["))
    top = next(tables, len(lines))
    value = json.dumps(name, ensure_ascii=False)
    for number, line in enumerate(lines[:top]):
        if match := LINE_OF_MODEL.match(line):
            lines[number] = "" if name is None else match[1] + value + line[match.end() :]
            return "".join(lines)
    if name is None:
        return text
    while top and not lines[top - 1].strip().rstrip("#"):  # an empty line above a table belongs to it
        top -= 1
    before = "".join(lines[:top])
    return before + ("\n" if before and not before.endswith("\n") else "") + f"model = {value}\n" + "".join(lines[top:])


def _read_or_none(text: bytes) -> dict | None:
    import tomllib

    try:
        return tomllib.loads(text.decode())
    except ValueError:
        return None


def model_option(model: str, command: str) -> str:
    """What names a model in a call of a command: nothing where that is the one it takes anyhow."""
    usual = model_of(command)
    return "" if model in (usual, os.path.abspath(usual)) else f" --model {shlex.quote(model)}"


def _heading(names: tuple[str, ...]) -> str:
    return f"[{'.'.join(names)}]"


def _options(command: TyperCommand) -> dict[str, typer.CallbackParam]:
    """The options of a command as the file names them: by their long names."""
    return {
        option.removeprefix("--"): parameter
        for parameter in command.params
        if parameter.param_type_name == "option"
        for option in parameter.opts
        if option.startswith("--")
    }


def _check_known(key: str, commands: Commands) -> None:
    """Refuse what is no option of any command; one after the other is asked, and the first has most."""
    known = set(commands)
    for _, command in leaves(commands):
        options = _options(command)
        if key in options:
            return
        known |= set(options)
    _refuse(key, key, known)


def _refuse(what: str, key: str, known: Collection[str]) -> None:
    from difflib import get_close_matches

    near = get_close_matches(key.replace("_", "-"), known, 1)
    instead = f"did you mean {near[0]}?" if near else f"there is {listed(sorted(known), 40)}"
    raise usage_error(f"{shown(file())}: {shown(what)} is no option or command; {instead}")


def _value(key: str, value: object, option: typer.CallbackParam, command: TyperCommand) -> object:
    """A value as a call would give it, checked."""
    from typer import BadParameter, Context

    where = f"{shown(file())}: {key} = {cited(value) if isinstance(value, str) else shown(value)}"
    if getattr(option, "is_flag", False):
        if not isinstance(value, bool):
            raise usage_error(f"{where} is not true or false")
        return value
    parts = value if isinstance(value, list) else [value]
    if any(type(part) not in (str, int, float) for part in parts):
        raise usage_error(f"{where} is not a text in quotes or a number; write one")
    several = getattr(option, "multiple", False)
    if isinstance(value, list) and not several:
        raise usage_error(f"{where} is more than the one that is wanted; leave the brackets out")
    texts = [str(part) for part in parts]
    try:
        option.type_cast_value(Context(command), texts if several else texts[0])
    except BadParameter as error:
        raise usage_error(f"{where}: {error.message}") from error
    return texts if several else texts[0]
