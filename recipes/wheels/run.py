"""Which of the libraries that the program needs have wheels, for which computers and which Pythons.

A wheel is installed as it is; without one, a compiler and the library's own needs have to be there. What is written in
Python alone is for every computer. What is there is asked of PyPI, by `pip install --dry-run`: nothing is installed.
"""

import json
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from protocols import write_results

PROJECT = Path(__file__).resolve().parents[2]
PYTHONS = ("3.11", "3.12", "3.13")
EXTRA = "plot"
GLIBC = range(17, 37)  # 2.17 is the oldest that wheels are for, Debian 12 has 2.36


def of_glibc(machine: str) -> list[str]:
    return [f"manylinux2014_{machine}", *(f"manylinux_2_{minor}_{machine}" for minor in GLIBC), f"linux_{machine}"]


COMPUTERS = {
    "Linux, x86-64": of_glibc("x86_64"),
    "Linux, 64-bit ARM (aarch64)": of_glibc("aarch64"),
    "Linux, 32-bit ARM (armv7l)": of_glibc("armv7l"),
    "Linux with musl (Alpine), x86-64": ["musllinux_1_1_x86_64", "musllinux_1_2_x86_64"],
    "Linux with musl (Alpine), aarch64": ["musllinux_1_1_aarch64", "musllinux_1_2_aarch64"],
    "macOS 14, ARM": ["macosx_14_0_arm64"],
    "Windows, x86-64": ["win_amd64"],
    "Windows, ARM64": ["win_arm64"],
}
APT = {  # Debian's, of what has no wheel on 32-bit ARM
    "cffi": "python3-cffi",
    "contourpy": "python3-contourpy",
    "kiwisolver": "python3-kiwisolver",
    "llvmlite": "python3-llvmlite",
    "matplotlib": "python3-matplotlib",
    "msgpack": "python3-msgpack",
    "numba": "python3-numba",
    "numpy": "python3-numpy",
    "pillow": "python3-pil",
    "scikit-learn": "python3-sklearn",
    "scipy": "python3-scipy",
    "soundfile": "python3-soundfile",
    "soxr": "python3-soxr",
}


def pip(*arguments: str) -> subprocess.CompletedProcess:
    call = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--dry-run"]
    return subprocess.run([*call, *arguments], capture_output=True, text=True, check=False)


def needed() -> tuple[dict[str, SpecifierSet], set[str]]:
    """All libraries with the bounds that the others set them, and which of them are compiled."""
    done = pip("--ignore-installed", "--report", "-", f"{PROJECT}[{EXTRA}]")
    done.check_returncode()
    bounds: dict[str, SpecifierSet] = defaultdict(SpecifierSet)
    compiled = set()
    for item in json.loads(done.stdout)["install"]:
        name = canonicalize_name(item["metadata"]["name"])
        extra = EXTRA if name == "recognizer" else ""
        for line in item["metadata"].get("requires_dist", ()):
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                bounds[canonicalize_name(requirement.name)] &= requirement.specifier
        if name != "recognizer" and not item["download_info"]["url"].endswith("-none-any.whl"):
            compiled.add(name)
    return bounds, compiled


def missing(libraries: list[str], python: str, tags: list[str]) -> list[str]:
    """Those of the libraries that have no wheel."""
    where = [option for tag in tags for option in ("--platform", tag)]
    asked = ("--no-deps", "--only-binary", ":all:", "--target", "nowhere", "--python-version", python, *where)
    done = pip(*asked, *libraries)
    if not done.returncode:
        return []
    if "No matching distribution" not in done.stderr:
        raise RuntimeError(done.stderr)
    if len(libraries) == 1:
        return libraries
    half = len(libraries) // 2
    return missing(libraries[:half], python, tags) + missing(libraries[half:], python, tags)


def main() -> None:
    bounds, compiled = needed()
    libraries = [f"{name}{bounds[name]}" for name in sorted(compiled)]
    rows = [f"| computer | {' | '.join(f'Python {python}' for python in PYTHONS)} |", "|---" * (len(PYTHONS) + 1) + "|"]
    without = set()
    for computer, tags in COMPUTERS.items():
        cells = []
        for python in PYTHONS:
            lacking = [str(Requirement(line).name) for line in missing(libraries, python, tags)]
            if "armv7l" in computer:
                without |= {*lacking}
            cells.append(", ".join(lacking) or "all there")
        rows.append(f"| {computer} | {' | '.join(cells)} |")
        print(rows[-1], file=sys.stderr, flush=True)
    packages = [f"| {name} | {APT.get(name, 'none')} |" for name in sorted(without)]
    write_results(
        Path(__file__),
        "Wheels",
        "python recipes/wheels/run.py",
        f"Asked of PyPI on {time.strftime('%Y-%m-%d')}. Libraries that are not written in Python alone, with the\n"
        f"extra `{EXTRA}`: {', '.join(sorted(compiled))}. Those without a wheel:",
        "\n".join(rows),
        "## On 32-bit ARM",
        "What to do is told in [docs/install.md](../../docs/install.md). Debian's packages of what has no wheel:",
        "\n".join(["| library | Debian's package |", "|---|---|", *packages]),
    )


if __name__ == "__main__":
    main()
