"""The messages that the runtime and its host exchange, without protobuf.

`azure-functions-runtime` is handed its message classes by the host, so any class with the right names and
members will do. These mirror FunctionRpc.proto of Azure/azure-functions-host (MIT): keyword members, a
member that was not set reads None, and `WhichOneof` names the member of a union that was set.
"""

from enum import Enum
from typing import ClassVar


class Message:
    """A message with keyword members; one that was not set reads None."""

    def __init__(self, **members: object) -> None:
        self.__dict__.update(members)

    def __getattr__(self, name: str) -> object:
        # The runtime asks a ParameterBinding's data for its own `TypedData` to tell the two apart.
        if name.startswith("__") or name == "TypedData":
            raise AttributeError(name)
        return None

    def WhichOneof(self, union: str) -> str | None:  # noqa: N802, ARG002 - protobuf's own name; one union a message
        """The name of the union's member that was set."""
        return next((name for name, value in self.__dict__.items() if value is not None), None)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.__dict__.items())})"


class TypedData(Message):
    """One value: exactly one of string, json, bytes, http, int, double."""


class ParameterBinding(Message):
    """A value for one parameter: `name` and `data`."""

    def WhichOneof(self, union: str) -> str | None:  # noqa: N802, ARG002 - as in Message
        """Always `data`: shared memory is not used."""
        return "data"


class StatusResult(Message):
    """How an invocation or a start went."""

    Failure = "Failure"
    Success = "Success"
    Cancelled = "Cancelled"


class BindingInfo(Message):
    """A binding as the indexer describes it; the numbers are the .proto's."""

    out = 1
    inout = 2
    undefined = 0


class SameSite(Enum):
    """The SameSite attribute of a response's cookie."""

    None_ = None
    Lax = "Lax"
    Strict = "Strict"
    ExplicitNone = "None"


class _SameSiteNames:
    """SameSite's members under protobuf's names, one of which is no Python name."""

    Lax = SameSite.Lax
    Strict = SameSite.Strict
    ExplicitNone = SameSite.ExplicitNone


setattr(_SameSiteNames, "None", SameSite.None_)


class RpcHttpCookie(Message):
    """One cookie of a response."""

    SameSite: ClassVar = _SameSiteNames


class Timestamp(Message):
    """A moment in seconds since 1970."""


class RpcHttp(Message):
    """An HTTP request or response."""


class InvocationResponse(Message):
    """The runtime's answer to an invocation."""


class Protos:
    """What the runtime takes as its `protos`: the classes above, and a plain message for every other name."""

    TypedData = TypedData
    ParameterBinding = ParameterBinding
    StatusResult = StatusResult
    BindingInfo = BindingInfo
    RpcHttpCookie = RpcHttpCookie
    Timestamp = Timestamp
    RpcHttp = RpcHttp
    InvocationResponse = InvocationResponse

    def __getattr__(self, name: str) -> type[Message]:
        # `Datum.from_typed_data` asks the object it was given for `TypedData`; that is never this class.
        return type(name, (Message,), {})
