"""Which of the libraries that the program needs have wheels, for which computers and which Pythons.

A wheel is installed as it is; without one, a compiler and the library's own needs have to be there. What is written in
Python alone is for every computer. PyPI is asked by `pip download` for a version that no library has: then pip tells
those that there are, and downloads nothing.
"""

import json
import re
import subprocess
import sys
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from protocols import write_results

PROJECT = Path(__file__).resolve().parents[2]
PYTHONS = ("3.11", "3.12", "3.13")
EXTRA = "plot"
AT_ONCE = 6  # questions: most of their time is waiting
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
}


def pip(*arguments: str) -> subprocess.CompletedProcess:
    call = [sys.executable, "-m", "pip", *arguments, "--disable-pip-version-check"]
    return subprocess.run(call, capture_output=True, text=True, check=False)


def needed() -> tuple[dict[str, SpecifierSet], set[str]]:
    """All libraries with the bounds that the others set them, and which of them are compiled."""
    done = pip("install", "--quiet", "--dry-run", "--ignore-installed", "--report", "-", f"{PROJECT}[{EXTRA}]")
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


def has_wheel(library: str, bounds: SpecifierSet, python: str, tags: list[str]) -> bool:
    """Whether some version within the bounds has one."""
    where = [option for tag in tags for option in ("--platform", tag)]
    only_wheels = ("--only-binary", ":all:", "--no-deps", "--python-version", python, *where)
    done = pip("download", "--quiet", *only_wheels, f"{library}<0")  # there is none, so that it tells what there is
    [versions] = re.findall(r"\(from versions: (.*)\)", done.stderr)
    return any(bounds.contains(version) for version in versions.split(", ") if version != "none")


def main() -> None:
    bounds, compiled = needed()
    libraries = sorted(compiled)
    asked = list(product(COMPUTERS, PYTHONS, libraries))
    with ThreadPoolExecutor(AT_ONCE) as threads:
        answers = threads.map(lambda c, python, name: has_wheel(name, bounds[name], python, COMPUTERS[c]), *zip(*asked))
    lacking = defaultdict(list)
    for (computer, python, name), there in zip(asked, answers):
        lacking[computer, python] += [] if there else [name]
    rows = [f"| computer | {' | '.join(f'Python {python}' for python in PYTHONS)} |", "|---" * (len(PYTHONS) + 1) + "|"]
    for computer in COMPUTERS:
        cells = (", ".join(lacking[computer, python]) or "all there" for python in PYTHONS)
        rows.append(f"| {computer} | {' | '.join(cells)} |")
    without = {name for (computer, _), names in lacking.items() if "armv7l" in computer for name in names}
    packages = [f"| {name} | {APT.get(name, 'none')} |" for name in sorted(without)]
    write_results(
        Path(__file__),
        "Wheels",
        "python recipes/wheels/run.py",
        f"Asked of PyPI on {time.strftime('%Y-%m-%d')}. Libraries that are not written in Python alone, with the\n"
        f"extra `{EXTRA}`: {', '.join(sorted(compiled))}. Those without a wheel:",
        "\n".join(rows),
        "## On 32-bit ARM",
        "What to do is told in [docs/install.md](../../docs/install.md). Debian's packages of what has no wheel\n"
        "(those of Debian 12 are older than the program needs):",
        "\n".join(["| library | Debian's package |", "|---|---|", *packages]),
    )


if __name__ == "__main__":
    main()
