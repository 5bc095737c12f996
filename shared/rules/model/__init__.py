"""The pydantic model of rules.yaml, which also makes the JSON Schema for editors.

    base         the base class of all parts
    connection   `connections`
    auth         the `auth` of a connection
    auth_kinds   the kinds of `auth`
    auth_clouds  the kinds of `auth` for other clouds
    rule         `rules`
    callers      `callers`
    file         the whole file

The descriptions of the fields are the texts of the JSON Schema.
"""
