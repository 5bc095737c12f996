"""The types of JSON values, as the standard library's decoder gives them."""

type Json = bool | int | float | str | list["Json"] | dict[str, "Json"] | None
type JsonObject = dict[str, Json]
