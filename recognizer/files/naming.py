"""Names that people give to speakers and words, checked so that each can be a folder on any system."""

from __future__ import annotations

import unicodedata

from recognizer.errors import NamingError, cited

LONGEST = 80  # bytes of UTF-8; leaves room for what is added in a file's name
ALLOWED = " -_'\u2019."  # beside letters, marks and digits of any script
# Devices to Windows, whatever ending follows.
RESERVED = frozenset(
    {"con", "prn", "aux", "nul"} | {f"{port}{digit}" for port in ("com", "lpt") for digit in "0123456789¹²³"}
)


def checked_name(name: str, what: str = "name") -> str:
    """The name in Unicode's NFC form.

    Parameters
    ----------
    name : as somebody wrote it
    what : what it is the name of, for the message

    Raises
    ------
    NamingError
        if it is empty, too long, cannot be a folder everywhere, or has characters that are no text.
    """
    name = unicodedata.normalize("NFC", name)
    if not name.strip():
        raise NamingError(f"the {what} is empty; write one, such as anna")
    strange = next((c for c in name if unicodedata.category(c)[0] not in "LMN" and c not in ALLOWED), None)
    if strange is not None:
        raise NamingError(
            f"{what} {cited(name)} has a {cited(strange)}; use letters, digits, spaces, hyphens and underscores"
        )
    if (edge := name[0]) in " .'-" or (edge := name[-1]) in " .":
        raise NamingError(f"{what} {cited(name)} begins or ends with {edge!r}; leave that out")
    device, dot, ending = name.partition(".")
    if device.strip().lower() in RESERVED:
        instead = f"{device.strip()}_{dot}{ending}"
        raise NamingError(f"{what} {cited(name)} is the name of a device on Windows; choose another, such as {instead}")
    if len(name.encode()) > LONGEST:
        raise NamingError(f"{what} {cited(name[:20])}... has {len(name.encode())} bytes; {LONGEST} are the most")
    return name
