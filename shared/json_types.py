"""The types of JSON values, as the standard library's decoder gives them."""

type Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
type JsonObject = dict[str, Json]
