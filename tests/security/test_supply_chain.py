"""Attacks by installed packages: another file with a known name, or a name that is not ours (W19)."""

import itertools
import json
import os
import re
import shlex
import tomllib
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pytest

from local.paths import AZURITE_FOLDER, ROOT
from local.processes import node, programs

LOCKS: Final = sorted(
    path
    for pattern in ("requirements*.txt", "local/*/requirements*.txt", "for_airflow/requirements*.txt")
    for path in ROOT.glob(pattern)
)
HASHED: Final = re.compile(
    r"[A-Za-z0-9._-]+(\[[a-z0-9,-]+\])?==[A-Za-z0-9.!+]+( ;[^#]*?)?( --hash=sha256:[0-9a-f]{64})+"
)
"""A requirement of one version, with a marker or without, and the hashes of its files."""
OURS: Final = {"updraft", "updraft-airflow", "updraft_airflow"}
PAGES: Final = (".md", ".py", ".toml", ".yaml", ".yml", ".json", ".in", ".sh", ".cfg", ".ini", "")
LEFT_OUT: Final = {"node_modules", "samples", Path(__file__).name}


def requirements(text: str) -> list[str]:
    """Return the requirements of a file, each on one line and without comments."""
    lines = re.sub(r"(^|\s)#.*", "", text.replace("\\\n", " "), flags=re.MULTILINE).splitlines()
    return [" ".join(line.split()) for line in lines if line.strip()]


def without_hash(text: str) -> list[str]:
    """Return the packages that a lock file would install without a hash."""
    return [line for line in requirements(text) if not HASHED.fullmatch(line)]


def names(text: str) -> set[str]:
    """Return the normalized names of a file's requirements."""
    found = (re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line) for line in requirements(text))
    return {re.sub(r"[-_.]+", "-", name[0]).lower() for name in found if name}


# --- Lock files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_line_of_every_lock_has_a_hash(lock: Path) -> None:
    """Each package is one version with the hashes of its files; there are no addresses, paths or options."""
    text = lock.read_text(encoding="utf-8")
    assert without_hash(text) == []
    assert names(text) >= names(lock.with_suffix(".in").read_text(encoding="utf-8"))


def test_all_locks_are_found() -> None:
    """The list has the lock files of the app and of each environment, and each list has its lock."""
    assert {str(lock.relative_to(ROOT)) for lock in LOCKS} >= {
        "requirements.txt",
        "requirements-dev.txt",
        "local/airflow/requirements.txt",
        "local/airflow-next/requirements.txt",
        "local/airflow2/requirements.txt",
        "local/azurite/requirements.txt",
    }
    lists = {path for pattern in ("*.in", "*/*.in", "*/*/*.in") for path in ROOT.glob(pattern)}
    assert {path.with_suffix(".txt") for path in lists if "node_modules" not in path.parts} == set(LOCKS)


@pytest.mark.parametrize(
    "line",
    [
        "requests",
        "requests==2.34.0",
        "requests>=2 --hash=sha256:" + "0" * 64,
        "requests==2.* --hash=sha256:" + "0" * 64,
        "requests==2.34.0 --hash=md5:" + "0" * 32,
        "requests==2.34.0 --hash=sha256:0",
        "requests==2.34.0 # --hash=sha256:" + "0" * 64,
        "requests @ https://files.example/requests.whl --hash=sha256:" + "0" * 64,
        "git+https://git.example/requests@main",
        "./requests --hash=sha256:" + "0" * 64,
        "-e .",
        "-r other.txt",
        "--index-url https://index.example/simple",
        "--extra-index-url https://index.example/simple",
        "--trusted-host index.example",
        "--find-links /wheels",
    ],
)
def test_a_line_that_is_not_pinned_to_files_is_seen(line: str) -> None:
    """The check of the lock files refuses every other way to name a package."""
    good = (
        "idna==3.10 \\\n    --hash=sha256:"
        + "a" * 64
        + " \\\n    --hash=sha256:"
        + "b" * 64
        + "\n    # via -r x.in\n"
    )
    assert without_hash(good + line + "\n" + good) == [" ".join(re.sub(r" #.*", "", line).split())]


def test_azurites_lock_has_the_hash_of_every_package() -> None:
    """Each package has its SHA-512, which npm checks, and no package has an address."""
    lock = json.loads((AZURITE_FOLDER / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert len(packages) > 100
    assert [
        name for name, found in packages.items() if not found.get("integrity", "").startswith("sha512-")
    ] == []
    assert [name for name, found in packages.items() if "resolved" in found or "link" in found] == []
    wanted = json.loads((AZURITE_FOLDER / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert [version for version in wanted.values() if not re.fullmatch(r"[0-9.]+", version)] == []


@pytest.mark.parametrize("project", ["pyproject.toml", "for_airflow/pyproject.toml"])
def test_our_packages_are_built_with_the_setuptools_of_the_locks(project: str) -> None:
    """One known version builds them, also with pip in a checkout without `make wheel`."""
    build = tomllib.loads((ROOT / project).read_text(encoding="utf-8"))["build-system"]
    locked = {
        line.split()[0] for lock in LOCKS for line in requirements(lock.read_text()) if "setuptools==" in line
    }
    assert set(build["requires"]) == locked


# --- Installing ----------------------------------------------------------------------------------------


def commands() -> list[list[str]]:
    """Return the commands by which make would install everything from the beginning, without running them."""
    targets = ("setup", "airflow2", ".venv-airflow-next/ready", "wheel")
    printed = programs.run(
        ["make", "--dry-run", "--always-make", "--no-print-directory", *targets],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")},
        check=True,
    ).stdout
    lines = printed.replace("\\\n", " ").splitlines()
    found: list[list[str]] = []
    for line in lines:
        words = shlex.shlex(line, posix=True, punctuation_chars=True)
        words.whitespace_split = True
        words.commenters = ""
        for separator, group in itertools.groupby(words, lambda word: set(word) <= set(";|&{}()")):
            if not separator:
                found.append(list(group))
    installers = re.compile(r"(.*/)?(pip|npm|npx|uvx|curl|wget|uv)")
    return [command for command in found if any(map(installers.fullmatch, command))]


def installs(found: Iterable[list[str]]) -> list[list[str]]:
    """Return those that put packages into an environment."""
    return [command for command in found if "install" in command and "pip" in command]


@pytest.mark.slow
def test_make_installs_nothing_without_a_hash() -> None:
    """Each command demands hashes and takes lock files alone, or installs our own package by itself."""
    found = installs(commands())
    locked = [command for command in found if "--require-hashes" in command]
    own = [command for command in found if command not in locked]
    assert len(locked) >= 6
    for command in locked:
        arguments = [word for word in command if word.endswith(".txt")]
        given = [word for before, word in itertools.pairwise(command) if before == "-r"]
        assert given
        assert {ROOT / name for name in given} <= {*LOCKS, ROOT / ".venv" / "uv.txt"}
        assert set(arguments) - set(given) <= {"requirements-dev.txt"}  # the constraints of what is built
        assert "--only-binary" in command
    for command in own:
        assert {"--no-deps", "--no-build-isolation", "--offline"} <= set(command), command
        assert command[-2] == "--editable"
        assert command[-1] in {".", "for_airflow"}


@pytest.mark.slow
def test_make_fetches_nothing_in_another_way() -> None:
    """There are no downloads beside the installers, and the wheel is built with tools that have hashes."""
    others = [command for command in commands() if "pip" not in command]
    assert [command for command in others if {"curl", "wget", "npx", "uvx", "npm"} & set(command)] == []
    builds = [command for command in others if "build" in command]
    assert len(builds) == 1
    assert {"--require-hashes", "--build-constraints"} <= set(builds[0])


@pytest.mark.slow
def test_the_installer_itself_has_a_hash() -> None:
    """Make takes the lines of uv out of a lock file, and pip installs those."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (program,) = re.findall(r"awk '(/\^\[\^ \]/ [^']*)' requirements-dev.txt", makefile)
    taken = programs.run(["awk", program, "requirements-dev.txt"], cwd=ROOT, check=True).stdout
    assert names(taken) == {"uv"}
    assert without_hash(taken) == []


def fake_wheel(folder: Path, *, name: str = "idna", version: str = "3.10") -> Path:
    """Write a wheel that an attacker would put into an index."""
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    information = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{name}.py", "print('attack')\n")
        archive.writestr(
            f"{information}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        archive.writestr(
            f"{information}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(f"{information}/RECORD", "")
    return wheel


@pytest.mark.slow
@pytest.mark.parametrize("line", ["idna==3.10 --hash=sha256:" + "a" * 64, "idna==3.10", "idna"])
def test_another_file_of_a_known_name_is_refused(tmp_path: Path, line: str) -> None:
    """With the options that make uses, a wheel whose hash is not in the lock is not installed."""
    fake_wheel(tmp_path)
    lock = tmp_path / "lock.txt"
    lock.write_text(line + "\n")
    (options,) = re.findall(
        r"^INSTALL = \$\(UV\) pip install (--require-hashes)", (ROOT / "Makefile").read_text(), re.MULTILINE
    )
    index = ("--no-index", "--find-links", tmp_path, "--target", tmp_path / "target", "--no-cache")
    refused = programs.run([ROOT / ".venv/bin/uv", "pip", "install", options, *index, "-r", lock])
    assert refused.returncode != 0
    assert "hash" in refused.stderr.lower()
    assert not (tmp_path / "target" / "idna.py").exists()


@pytest.mark.slow
def test_azurite_is_installed_as_locked_and_without_scripts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is `npm ci`, which obeys the lock, and `--ignore-scripts`, so that no package runs code."""
    for name, script in (("node", "echo v22.1.0"), ("npm", f'echo "$@" > {tmp_path}/arguments')):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")
    assert node.install() == 0
    assert {"ci", "--ignore-scripts"} <= set((tmp_path / "arguments").read_text().split())


# --- Install commands in pages --------------------------------------------------------------------------

INSTALLER: Final = re.compile(
    r"\b(?:(?:pip3?|pipx|uv(?: pip| tool)?|poetry|pdm) (?:install|add|download|run --with)|uvx) ([^\n]*)"
)
OPTIONS_WITH_VALUE: Final = {"-r", "-c", "--python", "--target", "--constraint", "--requirement", "--with"}


def told_to_install(text: str) -> set[str]:
    """Return the packages that a text names in install commands; paths and files are not names."""
    found = set()
    for match in INSTALLER.finditer(text):
        command = re.split(r"[`;|]|&&| #|[\"'][,)]", match[1])[0]
        words = iter(re.findall(r"'[^']*'|\"[^\"]*\"|[^\s'\"]+", command))
        for word in words:
            if word in OPTIONS_WITH_VALUE:
                next(words, None)
            elif not word.startswith(("-", "$", "<", "{")):
                found.add(word.strip("'\",."))
    names_only = {re.split(r"[\[=<>!~@; ]", word)[0] for word in found if "/" not in word and word != ""}
    return {name for name in names_only if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name)}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("pip install 'updraft-airflow[fab]'", {"updraft-airflow"}),
        ('run `pip install "updraft_airflow[azure]==1.0"`, then', {"updraft_airflow"}),
        ("uv pip install --python x updraft", {"updraft"}),
        ("uv add updraft-airflow", {"updraft-airflow"}),
        ("pipx install updraft", {"updraft"}),
        ("uvx updraft doctor", {"updraft", "doctor"}),
        ("python -m pip install -r requirements.txt updraft", {"updraft"}),
        ("pip install './dist/updraft_airflow-0.1.0-py3-none-any.whl[fab]'", set()),
        ("pip install -e .", set()),
        ("pip install -r requirements.txt", set()),
    ],
)
def test_a_name_in_a_command_is_seen(text: str, found: set[str]) -> None:
    """The scan of pages and messages finds the names in every installer's command, and leaves out paths."""
    assert told_to_install(text) == found


def test_nobody_is_told_to_install_a_name_that_is_not_known() -> None:
    """Pages and messages name packages of the lock files alone; ours come from a file or the checkout."""
    known = {name for lock in LOCKS for name in names(lock.read_text(encoding="utf-8"))}
    assert known & OURS == set()
    told = {
        (str(path.relative_to(ROOT)), name)
        for path in pages()
        for name in told_to_install(path.read_text(encoding="utf-8", errors="replace"))
    }
    assert {name for _, name in told} >= {"azure-identity", "jsonschema"}  # the scan does find commands
    assert [
        (page, name) for page, name in sorted(told) if re.sub(r"[-_.]+", "-", name).lower() not in known
    ] == []


def pages() -> list[Path]:
    """Return the files of the checkout that people read, or that print something to them."""
    top = [path for path in ROOT.iterdir() if not path.name.startswith(".") and path.name not in LEFT_OUT]
    below = [path for folder in top if folder.is_dir() for path in folder.rglob("*")]
    return [
        path
        for path in (*top, *below)
        if path.suffix in PAGES
        and not LEFT_OUT & set(path.parts)
        and path.is_file()
        and not any(part in ("dist", "build") or part.endswith(".egg-info") for part in path.parts)
    ]
