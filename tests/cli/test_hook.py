"""`updraft hook`: each kind of body reaches the app's hook as its sender would post it."""

import json
import os
import sys
from collections.abc import Iterator
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Final

import pytest

from cli.commands.hook import hook_address
from cli.main import main
from local.stand_ins.loopback_server import LoopbackServer, Reply, Request
from shared.errors import SettingsError
from tests.support.http_app import GITHUB_KEY, Caller
from tests.support.paths import SAMPLES

BODIES: Final = {
    "acr": "acr/push.json",
    "azure-devops": "azure-devops/git_push.json",
    "container-registry": "acr/delete.json",
    "github": "github/workflow_run_completed.json",
    "kudu": "kudu/success_in_slot.json",
}


class RecordingApp(LoopbackServer):
    """A server that answers as the app does, and records the requests."""

    def __init__(self) -> None:
        super().__init__()
        self.got: list[Request] = []
        self.reply = Reply(202, {"outcomes": {"started": 1}})

    def handle(self, request: Request) -> Reply:
        """Keep the request."""
        self.got.append(request)
        return self.reply


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordingApp]:
    """An app that the environment names."""
    with RecordingApp() as running:
        monkeypatch.setenv("UPDRAFT_URL", running.url)
        monkeypatch.delenv("UPDRAFT_FUNCTION_KEY", raising=False)
        monkeypatch.delenv("UPDRAFT_GITHUB_SECRET", raising=False)
        yield running


@pytest.fixture
def secret_file(tmp_path: Path) -> str:
    """A file with GitHub's secret."""
    file = tmp_path / "secret"
    file.write_text(f"{GITHUB_KEY}\n")
    return str(file)


@pytest.mark.slow
@pytest.mark.parametrize("kind", BODIES)
def test_the_app_takes_what_is_posted(
    caller: Caller, kind: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real app takes each kind in; GitHub's is signed with the vault's secret, read as the identity."""
    monkeypatch.setenv("UPDRAFT_URL", caller.host.url)
    monkeypatch.setattr("cli.waiting.PATIENCE", 0.0)
    assert main(["hook", kind, str(SAMPLES / BODIES[kind])]) == 1  # no rule of these is for it
    printed = capsys.readouterr()
    assert printed.out == "the app answered 202: 1 unmatched\n"
    body = SAMPLES / BODIES[kind]
    assert (
        f"no rule matches the body\n  fix: find the condition that fails: `updraft explain {body}`"
        in printed.err
    )
    secret = f"reading the secret {os.environ['UPDRAFT_GITHUB_SECRET']} from Key Vault …\n"
    assert (secret in printed.err) == (kind == "github")
    assert GITHUB_KEY not in printed.out + printed.err
    assert os.environ["IDENTITY_HEADER"] not in printed.out + printed.err


@pytest.mark.slow
def test_a_wrong_signature_is_refused(
    caller: Caller, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A secret that is not the app's does not sign for GitHub; the app's own file does."""
    wrong, right = tmp_path / "wrong", tmp_path / "right"
    wrong.write_text("x" * 40)
    right.write_text(f"{GITHUB_KEY} {'o' * 40}")
    body = str(SAMPLES / BODIES["github"])
    call = ["hook", "github", "--url", caller.host.url, body, "--secret-file"]
    assert main([*call, str(right)]) == 1
    assert "1 unmatched" in capsys.readouterr().out
    main([*call, str(wrong)])
    printed = capsys.readouterr()
    assert "bad_signature" in printed.err or "1 parked" in printed.out


@pytest.mark.parametrize("kind", BODIES)
def test_the_body_is_posted_as_it_stands(app: RecordingApp, kind: str, secret_file: str) -> None:
    """Not a byte of it changes, and it goes to the hook of its kind."""
    file = SAMPLES / BODIES[kind]
    assert main(["hook", kind, str(file), "--secret-file", secret_file]) == 0
    (request,) = app.got
    assert (request.method, request.body) == ("POST", file.read_bytes())
    assert request.path == f"/api/hooks/{'acr' if kind == 'container-registry' else kind}"
    assert request.headers["content-type"] == "application/json"
    assert ("x-hub-signature-256" in request.headers) == (kind == "github")
    assert "x-functions-key" not in request.headers


def test_github_gets_its_headers(app: RecordingApp, secret_file: str, tmp_path: Path) -> None:
    """The header names the event of the body, and each delivery has its own id."""
    bad = tmp_path / "bad.json"
    bad.write_text("{")
    for file in (SAMPLES / BODIES["github"], SAMPLES / "github/ping.json", bad):
        assert main(["hook", "github", str(file), "--secret-file", secret_file]) == 0
    names = [request.headers["x-github-event"] for request in app.got]
    assert names == ["workflow_run", "ping", "other"]
    assert len({request.headers["x-github-delivery"] for request in app.got}) == 3


def test_the_functions_key_is_sent(
    app: RecordingApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The key comes from a file or the environment, is sent in a header, and is not printed."""
    body, key = str(SAMPLES / BODIES["kudu"]), tmp_path / "key"
    monkeypatch.setenv("UPDRAFT_FUNCTION_KEY", "made-up-key-of-env")
    assert main(["hook", "kudu", body]) == 0
    key.write_text("made-up-key-of-file\n")
    assert main(["hook", "kudu", body, "--key-file", str(key)]) == 0
    assert [request.headers["x-functions-key"] for request in app.got] == [
        "made-up-key-of-env",
        "made-up-key-of-file",
    ]
    key.write_text("made-up\nkey")
    assert main(["hook", "kudu", body, "--key-file", str(key)]) == 2
    printed = capsys.readouterr()
    assert "has a character that is not allowed in a key" in printed.err
    assert "made-up" not in printed.out + printed.err


@pytest.mark.parametrize(
    ("reply", "status", "says"),
    [
        (Reply(202, {"outcomes": {"started": 2, "duplicate": 1}}), 0, "202: 2 started, 1 duplicate"),
        (Reply(202, {"outcomes": {}}), 1, "202: no rule matches"),
        (
            Reply(202, {"outcomes": {"rejected": 1}}),
            1,
            "the app rejected the event\n  fix: read the reason: `updraft replay list`",
        ),
        (Reply(503, {"code": "not_configured", "detail": "set up"}), 2, "503 (not_configured): set up"),
        (Reply(404, ""), 2, "the app answered 404\n"),
        (Reply(401, "\x1b[31m"), 2, "the app answered 401: \\x1b[31m"),
        (Reply(200, "hello"), 2, "the app answered 200: hello"),
        (Reply(302, "", {"Location": "http://127.0.0.1:9/x"}), 2, "the app answered 302"),
    ],
)
def test_what_the_app_answers_is_shown(
    app: RecordingApp, capsys: pytest.CaptureFixture[str], reply: Reply, status: int, says: str
) -> None:
    """The outcomes are counted, a refusal has its code, and each case has its exit status."""
    app.reply = reply
    assert main(["hook", "kudu", str(SAMPLES / BODIES["kudu"])]) == status
    printed = capsys.readouterr()
    assert says in printed.out + printed.err


def test_the_answer_as_a_document(app: RecordingApp, capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` prints one document with the answer."""
    assert main(["hook", "acr", "--json", str(SAMPLES / BODIES["acr"])]) == 0
    expected = {"ok": True, "errors": [], "warnings": []}
    expected |= {"status": 202, "answer": {"outcomes": {"started": 1}}}
    assert json.loads(capsys.readouterr().out) == expected
    assert len(app.got) == 1


def test_slow_posting_is_named_once(
    app: RecordingApp, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line on standard error has the address that is asked."""
    monkeypatch.setattr("cli.waiting.PATIENCE", 0.0)
    assert main(["hook", "acr", str(SAMPLES / BODIES["acr"])]) == 0
    assert capsys.readouterr().err == f"posting to {app.url}/api/hooks/acr …\n"


def test_a_body_of_another_kind_is_warned_about(
    app: RecordingApp, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The body is posted, because the app decides; standard input is read as well."""
    content = (SAMPLES / BODIES["kudu"]).read_bytes()
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(content)))
    assert main(["hook", "acr", "-"]) == 0
    assert "warning: the body looks like one of kind kudu, not acr" in capsys.readouterr().err
    assert app.got[0].body == content


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["kudu", "none.json"], "none.json: the file cannot be read: No such file or directory"),
        (["github", "BODY"], "pass --secret-file FILE, or set UPDRAFT_GITHUB_SECRET to the name"),
        (["github", "BODY", "--secret-file", "none"], "none: the file with the secret cannot be read"),
        (["github", "BODY", "--secret-file", "SHORT"], "at least 32 visible characters"),
        (["github", "BODY", "--secret-file", "BINARY"], "it is not text"),
        (["kudu", "BODY", "--url", "http://app.example"], "`url` begins with http://; write https://"),
        (["kudu", "BODY", "--url", "http://127.0.0.1:9"], "cannot be reached: Connection refused"),
        (["kudu", "BODY", "--url", "https://x/?code=made-up"], "`url` has a `?` or `#`; write it without"),
    ],
)  # fmt: skip
def test_what_cannot_be_posted_ends_with_2(
    app: RecordingApp, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    """The message names what is missing, and nothing is posted."""
    (tmp_path / "short").write_text("short-secret")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    files = {
        "BODY": str(SAMPLES / BODIES["github"]),
        "SHORT": str(tmp_path / "short"),
        "BINARY": str(tmp_path / "binary"),
    }
    assert main(["hook", *(files.get(argument, argument) for argument in arguments)]) == 2
    printed = capsys.readouterr().err
    assert says in printed
    assert "short-secret" not in printed
    assert app.got == []


def test_an_app_that_is_not_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without an address the message names the setting; the path of a proxy stays in the address."""
    monkeypatch.delenv("UPDRAFT_URL", raising=False)
    assert main(["hook", "kudu", str(SAMPLES / BODIES["kudu"])]) == 2
    assert "no app is named: pass --url URL, or set UPDRAFT_URL" in capsys.readouterr().err
    assert (
        hook_address("https://proxy.example/updraft/", "acr") == "https://proxy.example/updraft/api/hooks/acr"
    )
    with pytest.raises(SettingsError, match="--url, or UPDRAFT_URL"):
        hook_address("ftp://x", "acr")
