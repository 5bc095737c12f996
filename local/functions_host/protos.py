"""The messages that the runtime and its host exchange, without protobuf.

The host gives `azure-functions-runtime` its message classes, so any classes with the right names and members
work. They follow FunctionRpc.proto of Azure/azure-functions-host (MIT): members are keyword arguments, a
member without a value is None, and `WhichOneof` returns the name of the union's member with a value.
"""

from enum import Enum
from typing import ClassVar


class Message:
    """A message with keyword members; a member without a value is None."""

    def __init__(self, **members: object) -> None:
        self.__dict__.update(members)

    def __getattr__(self, name: str) -> object:
        # The runtime reads `TypedData` of a message; from the error it sees that the message is the value.
        if name.startswith("__") or name == "TypedData":
            raise AttributeError(name)
        return None

    def WhichOneof(self, union: str) -> str | None:  # noqa: N802, ARG002 - protobuf's own name; one union a message
        """Return the name of the union's member that has a value."""
        return next((name for name, value in self.__dict__.items() if value is not None), None)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.__dict__.items())})"


class TypedData(Message):
    """One value: exactly one of string, json, bytes, http, int, double."""


class ParameterBinding(Message):
    """A value for one parameter: `name` and `data`."""

    def WhichOneof(self, union: str) -> str | None:  # noqa: N802, ARG002 - as in Message
        """Return `data`: shared memory is not used."""
        return "data"


class StatusResult(Message):
    """The result of an invocation or a start."""

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
    """SameSite's members under protobuf's names; one of them, `None`, is a keyword of Python."""

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
    """The runtime's `protos`: the classes above, and a plain message for each other name."""

    TypedData = TypedData
    ParameterBinding = ParameterBinding
    StatusResult = StatusResult
    BindingInfo = BindingInfo
    RpcHttpCookie = RpcHttpCookie
    Timestamp = Timestamp
    RpcHttp = RpcHttp
    InvocationResponse = InvocationResponse

    def __getattr__(self, name: str) -> type[Message]:
        # `Datum.from_typed_data` looks for `TypedData` in its argument; it is never of this class.
        return type(name, (Message,), {})
