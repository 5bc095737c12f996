import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.functions_host import logs
from local.functions_host.routes import Route, find
from local.functions_host.settings import (
    BODY_LIMIT,
    HostSettingsError,
    QueueOptions,
    largest_body,
    load_local_settings,
    read_host_settings,
    resolve_names,
    time_span,
)
from shared.log import CHATTY

# host.json and local.settings.json


def host_json(folder: Path, **sections: object) -> Path:
    """Write a host.json with the given sections."""
    (folder / "host.json").write_text(json.dumps({"version": "2.0"} | sections))
    return folder


def test_host_json_has_the_real_hosts_defaults(tmp_path: Path) -> None:
    """Without sections every option is the real host's default, with the polling of a local start."""
    settings = read_host_settings(host_json(tmp_path))
    assert settings.route_prefix == "api"
    assert settings.function_timeout == 1800
    assert settings.queues == QueueOptions(
        batch_size=16,
        new_batch_threshold=8,
        max_dequeue_count=5,
        visibility_timeout=0,
        max_polling_interval=2,
        base64=True,
    )


def test_host_json_is_read(tmp_path: Path) -> None:
    """Prefix, time-out and the queues' options come from host.json."""
    queues = {
        "batchSize": 32,
        "maxDequeueCount": 3,
        "visibilityTimeout": "00:00:30",
        "maxPollingInterval": "00:00:00.05",
        "messageEncoding": "none",
    }
    folder = host_json(
        tmp_path, functionTimeout="-1", extensions={"http": {"routePrefix": ""}, "queues": queues}
    )
    settings = read_host_settings(folder)
    assert settings.route_prefix == ""
    assert settings.function_timeout is None
    assert settings.queues.new_batch_threshold == 16
    assert settings.queues.visibility_timeout == 30
    assert settings.queues.max_polling_interval == 0.1
    assert not settings.queues.base64


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[]", "JSON object"),
        ('{"version": "1.0"}', "version"),
        ('{"version": "2.0", "functionTimeout": "soon"}', "soon"),
        ('{"version": "2.0", "extensions": {"queues": {"batchSize": 33}}}', "batchSize"),
        ('{"version": "2.0", "extensions": {"queues": {"messageEncoding": "utf7"}}}', "messageEncoding"),
    ],
)
def test_a_bad_host_json_says_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    """Every mistake in host.json is an error with the file's name."""
    (tmp_path / "host.json").write_text(text)
    with pytest.raises(HostSettingsError, match=said) as caught:
        read_host_settings(tmp_path)
    assert "host.json" in str(caught.value)


def test_a_missing_host_json_is_an_error(tmp_path: Path) -> None:
    """Every app has a host.json."""
    with pytest.raises(HostSettingsError, match="missing"):
        read_host_settings(tmp_path)


def test_local_settings_fill_the_environment(tmp_path: Path) -> None:
    """Values of local.settings.json are set, except those that the environment has already."""
    (tmp_path / "local.settings.json").write_text(json.dumps({"Values": {"A": "1", "B": "2"}}))
    environment = {"B": "mine"}
    assert load_local_settings(tmp_path, environment) == ["A"]
    assert environment == {"A": "1", "B": "mine"}
    assert load_local_settings(tmp_path / "none", environment) == []


def test_names_in_bindings_are_resolved() -> None:
    """`%NAME%` becomes the setting's value; one that is not set is named with its function."""
    assert resolve_names("a-%X%-%Y%", {"X": "1", "Y": "2"}, where="f") == "a-1-2"
    with pytest.raises(HostSettingsError, match="function f: '%Z%'"):
        resolve_names("%Z%", {}, where="function f")


@pytest.mark.parametrize(("text", "seconds"), [("00:00:30", 30), ("1.02:03:04.5", 93784.5)])
def test_time_spans(text: str, seconds: float) -> None:
    """A .NET time span has days, hours, minutes, seconds and fractions."""
    assert time_span(text) == seconds


# Routes


@pytest.mark.parametrize(
    ("template", "path", "parameters"),
    [
        ("a/{b}", "/api/a/x", {"b": "x"}),
        ("a/{b}", "/API/A/x/", {"b": "x"}),
        ("a/{b}", "/api/a", None),
        ("a/{b}", "/api/a/x/y", None),
        ("a/{b?}", "/api/a", {}),
        ("a/{b:int}", "/api/a/-12", {"b": "-12"}),
        ("a/{b:int}", "/api/a/x", None),
        (
            "a/{b:guid}",
            "/api/a/123e4567-e89b-12d3-a456-426614174000",
            {"b": "123e4567-e89b-12d3-a456-426614174000"},
        ),
        ("a/{b=7}", "/api/a", {"b": "7"}),
        ("a/{b=7}", "/api/a/8", {"b": "8"}),
        ("a/{*b}", "/api/a/x/y", {"b": "x/y"}),
        ("a/{*b}", "/api/a", {}),
        ("{a}.{b}", "/api/x.json", {"a": "x", "b": "json"}),
        ("", "/api", {}),
    ],
)
def test_routes_match_as_templates_say(template: str, path: str, parameters: dict[str, str] | None) -> None:
    """A path matches a template, or does not, and gives its parameters."""
    route = Route.compile("f", template, prefix="api")
    found = find([route], "GET", path)
    assert (found[1] if found else None) == parameters


def test_the_most_specific_route_wins() -> None:
    """A literal beats a constraint, which beats a parameter, which beats the rest; methods are part of it."""
    routes = [
        Route.compile(template, template, methods)
        for template, methods in (
            ("{*rest}", []),
            ("a/{b}", []),
            ("a/{b:int}", []),
            ("a/1", ["POST"]),
        )
    ]
    assert [
        found[0].function
        for method, path in (("POST", "/a/1"), ("GET", "/a/1"), ("GET", "/a/x"), ("GET", "/z"))
        if (found := find(routes, method, path))
    ] == ["a/1", "a/{b:int}", "a/{b}", "{*rest}"]


@pytest.mark.parametrize("template", ["a/{b:regex}", "a/{b", "a/b}"])
def test_a_bad_template_names_its_function(template: str) -> None:
    """A constraint that is not known, or a stray brace, is an error and not a route that never matches."""
    with pytest.raises(HostSettingsError, match="function f"):
        Route.compile("f", template)


# Logs


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    """The root logger; libraries log as if the app had not set their level, and all is restored."""
    root = logging.getLogger()
    libraries = [logging.getLogger(name) for name in CHATTY]
    handlers, level, levels = root.handlers[:], root.level, [library.level for library in libraries]
    for library in libraries:
        library.setLevel(logging.NOTSET)
    yield root
    for library, before in zip(libraries, levels, strict=True):
        library.setLevel(before)
    for handler in root.handlers:
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("root_logger")
def test_the_log_in_both_forms(tmp_path: Path) -> None:
    """A record is a line for people, and a JSON object that names its function and invocation."""
    stream, file = io.StringIO(), tmp_path / "logs" / "host.jsonl"
    logs.configure(log_file=file, stream=stream)
    logs.begin("i-1", "f")
    token = logs.invocation.set("i-1")
    logging.getLogger("app").info("hello %s", "you")
    logging.getLogger("azure.core").info("the function's own call")
    logs.invocation.reset(token)
    logs.end("i-1")
    logging.getLogger("azure.core").info("the host's own call")
    logging.getLogger("azure.functions").info("the platform's")
    logging.getLogger("Host.X").warning("host")
    logging.getLogger("app").error("failed", exc_info=ValueError("boom"))
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["message"] for line in lines] == ["hello you", "the function's own call", "host", "failed"]
    assert lines[0] | {"timestamp": ""} == {
        "timestamp": "",
        "level": "INFO",
        "category": "Function.f.User",
        "function": "f",
        "invocation_id": "i-1",
        "message": "hello you",
        "exception": None,
    }
    assert lines[2]["category"] == "Host.X"
    assert "ValueError: boom" in lines[3]["exception"]
    assert stream.getvalue().startswith("[20")
    assert "Z] hello you\n" in stream.getvalue()
    assert "ValueError: boom" in stream.getvalue()


@pytest.mark.usefixtures("root_logger")
def test_a_verbose_log_hides_nothing() -> None:
    """Asked to be verbose, the log shows the platform's own records too."""
    stream = io.StringIO()
    logs.configure(log_file=None, verbose=True, stream=stream)
    logging.getLogger("azure.functions").debug("the platform's")
    assert "the platform's" in stream.getvalue()


@pytest.mark.parametrize(
    ("settings", "bytes_"),
    [({}, 104_857_600), ({BODY_LIMIT: ""}, 104_857_600), ({BODY_LIMIT: "2097152"}, 2_097_152)],
)
def test_the_largest_body_is_a_setting(settings: dict[str, str], bytes_: int) -> None:
    """Without the setting it is the real host's limit."""
    assert largest_body(settings) == bytes_


@pytest.mark.parametrize("value", ["2 MiB", "-1", "0", "1.5", "\u0661"])
def test_a_limit_that_is_no_number_is_refused(value: str) -> None:
    """The host does not start with a limit that it cannot read."""
    with pytest.raises(HostSettingsError, match="number of bytes"):
        largest_body({BODY_LIMIT: value})
