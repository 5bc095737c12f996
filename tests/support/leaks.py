"""Finds secrets in texts: records every used secret, and all output."""

import hashlib
import json
import os
import re
import tempfile
import threading
import urllib.parse
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

SHORTEST = 12
"""The fewest characters of a secret. A shorter value, such as `first-value`, may occur by chance."""
_AT_ONCE = 1_048_576
_TOKEN = re.compile(r"eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{20,}")


class Secrets:
    """Every secret, each with its kind, found in a text in one pass however many there are."""

    def __init__(self) -> None:
        self.too_short: Counter[str] = Counter()
        self._known: set[bytes] = set()
        self._by_start: dict[str, dict[str, str]] = {}
        self._lock = threading.Lock()

    def add(self, kind: str, *values: str) -> None:
        """Remember secrets, as they are and as JSON and an address would hold them; safe from any thread."""
        for value in values:
            mark = hashlib.blake2b(value.encode(errors="surrogatepass"), digest_size=16).digest()
            with self._lock:
                if mark in self._known:
                    continue
                self._known.add(mark)
                if len(value) < SHORTEST:
                    self.too_short[kind] += 1
                    continue
                for form in (
                    value,
                    json.dumps(value)[1:-1],
                    urllib.parse.quote(value, safe="", errors="replace"),
                ):
                    self._by_start.setdefault(form[:SHORTEST], {})[form] = kind

    def add_token(self, kind: str, token: str) -> None:
        """Record a token, and its signature, without which the rest is not valid."""
        self.add(kind, token, token.rpartition(".")[2])

    def __len__(self) -> int:
        return len(self._known)

    def kinds_in(self, text: str) -> set[str]:
        """Return the kinds of the secrets that a text holds."""
        starts = {text[at : at + SHORTEST] for at in range(len(text) - SHORTEST + 1)} & self._by_start.keys()
        return {kind for start in starts for secret, kind in self._by_start[start].items() if secret in text}


class Output:
    """The recorded output, in an unnamed file, so that it takes no memory."""

    def __init__(self) -> None:
        self.entries: Counter[str] = Counter()
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
        self._lock = threading.Lock()

    def add(self, what: str, test: str, text: str) -> None:
        """Keep a text; safe from any thread, and harmless after the end.

        Args:
            what: What it is, as in `log line`.
            test: The test that was running.
            text: All of it.
        """
        line = json.dumps((what, test, text)).encode() + b"\n"
        with self._lock:
            if not self._file.closed:
                self.entries[what] += 1
                self._file.write(line)

    def __iter__(self) -> Iterator[tuple[str, str, str]]:
        position = 0
        while True:
            with self._lock:
                self._file.seek(position)
                lines = self._file.readlines(_AT_ONCE)
                position = self._file.tell()
                self._file.seek(0, os.SEEK_END)
            if not lines:
                return
            for line in lines:
                what, test, text = json.loads(line)
                yield what, test, text

    def close(self) -> None:
        """Forget it all."""
        with self._lock:
            self._file.close()


def leaks(secrets: Secrets, output: Iterable[tuple[str, str, str]], files: Iterable[Path] = ()) -> list[str]:
    """Return where a secret was found: the test or file and the secret's kind, never the secret.

    Args:
        secrets: The secrets to search for.
        output: The recorded output.
        files: Logs of other programs. They issue tokens that this process does not know, such as the function
            app's run tokens, so every text in a token's form counts there too.
    """
    found = Counter(
        f"{kind} in a {what} of {test}" for what, test, text in output for kind in secrets.kinds_in(text)
    )
    for path in files:
        with path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                found.update(f"{kind} in {path}" for kind in secrets.kinds_in(line))
                if _TOKEN.search(line):
                    found[f"a token that somebody else issued, or one of ours, in {path}"] += 1
    return [f"{place} ({times} times)" for place, times in sorted(found.items())]
