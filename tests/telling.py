"""The lines in which a command tells what it took for words and speakers, before all else."""

from __future__ import annotations

import re

_TOLD = re.compile(
    r"(?!error: |warning: )(.+): (names are .*\{word\}.*|a table tells|wav\.scp and text tell): \d+ recordings?, "
    r"\d+ words? \(.+\)(, \d+ speakers? \(.+\))?; .+ is .+\n"
)


def after_told(stderr: str) -> str:
    """What was written to stderr after these lines, of which there must be one."""
    rest = stderr
    while told := _TOLD.match(rest):
        rest = rest[told.end() :]
    assert rest != stderr, f"nothing tells what was taken for words: {stderr}"
    return rest
