"""Addresses that look like a listed one, or that reach what a listed one does not."""

from collections.abc import Iterator

HOST = "updraft.example"
LISTED = f"https://{HOST}/api"
BELOW = (f"{LISTED}/outcomes", LISTED, f"https://{HOST.upper()}:443/api/x?code=1", f"{LISTED}/")
"""The listed address, or one below it."""


def look_alikes(host: str = HOST, scheme: str = "https", path: str = "/api/outcomes") -> Iterator[str]:
    """Yield spellings of a listed address that another program may read as another host or path."""
    evil = "evil.example"
    for authority in (
        f"{host}.{evil}",
        f"{host}.",
        f"{host}..",
        f".{host}",
        f"x{host}",
        f"x.{host}",
        f"{host}@{evil}",
        f"{host}:443@{evil}",
        f"user@{host}",
        f"user:word@{host}",
        f"@{host}",
        f":@{host}",
        f"{evil}@{host}",
        f"{host}%40{evil}",
        f"{evil}%2f@{host}",
        f"{host}%2e{evil}",
        f"{host}%00.{evil}",
        f"{host}%09",
        f"{host}\\@{evil}",
        f"{evil}\\@{host}",
        f"{evil}\\.{host}",
        f"{host}\\.{evil}",
        f"{host}:80",
        f"{host}:8443",
        f"{host}:0",
        f"{host}:65536",
        f"{host}:-443",
        f"{host}:443:443",
        f"{host}:\uff14\uff14\uff13",
        f"[{host}]",
        f"{host}\t.{evil}",
        f"{host}\n.{evil}",
        f"{host} .{evil}",
        f"{host};.{evil}",
        f"{host},{evil}",
        host.replace("e", "\u0435", 1),
        host.replace(".", "\u3002", 1),
        host.replace(".", "\uff0e", 1),
        f"xn--{host}",
        f"{evil}#@{host}",
        f"{evil}?@{host}",
        f"{evil}#.{host}",
        f"{evil}?.{host}",
        evil,
        "",
    ):
        yield f"{scheme}://{authority}{path}"
    other = "http" if scheme == "https" else "https"
    for begin in (
        f"{other}://",
        "ftp://",
        "file://",
        "javascript://",
        "",
        "//",
        "https:",
        "https:/",
        "https:///",
    ):
        yield f"{begin}{host}{path}"
    for begin in (
        "https:\\\\",
        "https:/\\",
        " https://",
        "\thttps://",
        "\x00https://",
        "https ://",
        "https:\n//",
    ):
        yield f"{begin}{host}{path}"
    for wrong in (
        "/apix/outcomes",
        "/ap",
        "/",
        "//api/outcomes",
        "/./api/outcomes",
        "/x/../api/outcomes",
        "/api/../admin",
        "/api/..",
        "/api/.",
        "/api/./outcomes",
        "/api//outcomes",
        "/api//evil.example/outcomes",
        "/api/..;/admin",
        "/api/%2e%2e/admin",
        "/api/%2E./admin",
        "/api/..%2fadmin",
        "/api/..%5cadmin",
        "/api%2foutcomes",
        "/api/%252e%252e/admin",
        "/api/%c0%ae%c0%ae/admin",
        "/api/outcomes%00",
        "/api/outcomes%0d%0aX:y",
        "/api\\..\\admin",
        "\\api\\outcomes",
        "/api/out comes",
        "/api/\u0456",
        "/API/outcomes",
        "api/outcomes",
        "/api/{x}",
    ):
        yield f"{scheme}://{host}{wrong}"


LOOPBACK = (
    "localhost",
    "LOCALHOST",
    "localhost.",
    "localhost.localdomain",
    "127.0.0.1.",
    "127.0.0.2",
    "127.1",
    "127.0.1",
    "0177.0.0.1",
    "0x7f.0.0.1",
    "0x7f000001",
    "2130706433",
    "017700000001",
    "0",
    "0.0.0.0",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::1%25lo]",
    "[::1%lo]",
    "127.0.0.1%2f",
    "\u2460\u2461\u2466.0.0.1",
    "127\u30020\u30020\u30021",
)
"""Hosts that some program takes for this machine; none of them is 127.0.0.1 as it is listed."""
