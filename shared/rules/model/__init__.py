"""The pydantic model of rules.yaml, one file for each of its parts.

    base        what every part shares
    connection  `connections`
    auth        a connection's `auth`, one class for each kind
    rule        `rules`
    callers     `callers`
    file        the file as a whole

The descriptions of the fields are the texts of the JSON Schema.
"""
