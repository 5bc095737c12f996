"""A rules file and the mistakes that people make in it: each as one change, with the message that it gives."""

from typing import Final, NamedTuple

RULES: Final = """\
connections:
  analytics:
    url: "%UPDRAFT_AIRFLOW_URL%"
    auth: {kind: entra, scope: "api://airflow/.default"}

rules:
  - name: swap
    description: A new version went live
    when:
      types: [Microsoft.Web.SlotSwapCompleted]
      filter:
        - {operatorType: StringIn, key: data.targetSlot, values: [production]}
    start:
      connection: analytics
      dag: smoke_tests
      conf:
        site: "{{ app.site }}"
        slot: "{{ app.slot }}"
    dedupe_by: "{{ data.correlationRequestId }}"
    max_age: 24h

  - name: orders
    when:
      types: [Microsoft.Storage.BlobCreated]
      subject:
        begins_with: /blobServices/default/containers/orders/
        ends_with: .csv
    start:
      connection: analytics
      dag: load_orders
      conf: {url: "{{ data.url }}", size: "{{ data.contentLength }}"}
    track: callback
"""
"""A file without a mistake."""


class Mistake(NamedTuple):
    """One change of the file.

    Attributes:
        old: What stands in the file once.
        new: What a person writes instead.
        at: The text under whose first character the caret is, as far as the line goes on.
        message: A part of what is wrong.
        fix: A part of what to write.
        rule: The rule that is named; empty outside of rules.
        warning: Whether the file still loads.
    """

    old: str
    new: str
    at: str
    message: str
    fix: str
    rule: str = "swap"
    warning: bool = False


M = Mistake
