"""A rules file and the common mistakes in it: each is one change, with its message."""

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
        old: A text that appears once in the file.
        new: The text that replaces it.
        at: The text under whose first character the caret is.
        message: A part of the message.
        fix: A part of the fix.
        rule: The rule in the message; empty outside of rules.
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

MISTAKES: Final = {
    # --- keys
    "when is misspelt": M(
        "    when:\n      types: [Microsoft.W",
        "    whem:\n      types: [Microsoft.W",
        "whem:",
        "unknown key `whem`",
        "did you mean `when`?",
    ),
    "rules is misspelt": M("rules:\n", "rule:\n", "rule:", "unknown key `rule`", "did you mean `rules`?", ""),
    "connections is misspelt": M(
        "connections:",
        "conections:",
        "conections:",
        "unknown key `conections`",
        "did you mean `connections`?",
        "",
    ),
    "max_age is misspelt": M(
        "max_age:", "maxage:", "maxage:", "unknown key `maxage`", "did you mean `max_age`?"
    ),
    "the name's key is misspelt": M(
        "name: swap", "nam: swap", "nam:", "unknown key `nam`", "did you mean `name`?", ""
    ),
    "kind is misspelt": M(
        "kind: entra", "kin: entra", "kin:", "unknown key `kin`", "did you mean `kind`?", ""
    ),
    "operatorType is misspelt": M(
        "operatorType:",
        "operator_typ:",
        "operator_typ:",
        "unknown key `operator_typ`",
        "did you mean `operatorType`?",
    ),
    "Event Grid's own name": M(
        "types: [Microsoft.Web",
        "eventType: [Microsoft.Web",
        "eventType:",
        "unknown key `eventType`",
        "did you mean `types`?",
    ),
    "a key of a subscription": M(
        "types: [Microsoft.Web",
        "includedEventTypes: [Microsoft.Web",
        "includedEventTypes:",
        "unknown key `includedEventTypes`",
        "did you mean `types`?",
    ),
    "Airflow's own name": M(
        "dag: smoke_tests", "dag_id: smoke_tests", "dag_id:", "unknown key `dag_id`", "did you mean `dag`?"
    ),
    "another tool's name": M('url: "%', 'host: "%', "host:", "unknown key `host`", "did you mean `url`?", ""),
    "a key that nobody knows": M("max_age: 24h", "zzz: 24h", "zzz:", "unknown key `zzz`", "there are name, "),
    "a key of another object": M(
        "max_age: 24h", "types: [a]", "types:", "unknown key `types`", "write `types` inside `when`"
    ),
    "a key that is too deep": M(
        "      dag: smoke_tests",
        "      dag: smoke_tests\n      max_age: 1h",
        "max_age:",
        "unknown key `max_age`",
        "write it in the rule itself, with less indentation",
    ),
    "a key twice": M(
        "    max_age: 24h",
        "    max_age: 24h\n    max_age: 1h",
        "max_age: 1h",
        "the key `max_age` appears a second time (first on line 20)",
        "keep one of the two",
    ),
    "a name twice": M(
        "name: orders",
        "name: swap",
        "swap",
        "the name `swap` is taken by the rule on line 7",
        "write another name",
    ),
    "a part is missing": M(
        "      dag: load_orders\n",
        "",
        "start:\n",
        "`dag` is missing",
        "add it, as in `dag: smoke_tests`",
        "orders",
    ),
    "members beside their key": M(
        'conf:\n        site: "{{ app.site }}"\n        slot:',
        'conf:\n      site: "{{ app.site }}"\n      slot:',
        "site:",
        "unknown key `site`",
        "write `site` inside `conf`, indented by 2 more spaces",
    ),
    # --- words and names
    "an operator": M(
        "StringIn,",
        "StringsIn,",
        "StringsIn",
        '"StringsIn" is not an operator of Event Grid',
        "did you mean `StringIn`?",
    ),
    "a connection": M(
        "connection: analytics\n      dag: smoke",
        "connection: analytic\n      dag: smoke",
        "analytic\n",
        "there is no connection `analytic`",
        "did you mean `analytics`?",
    ),
    "a kind": M("kind: entra", "kind: entre", "entre", "not `entre`", "did you mean `entra`?", ""),
    "a name with a space": M(
        "name: swap",
        "name: Smoke Test",
        "Smoke",
        "`Smoke Test` is not allowed as a rule's name",
        "write `smoke-test`",
        "Smoke Test",
    ),
    "a DAG's id with a space": M(
        "dag: smoke_tests",
        "dag: smoke tests",
        "smoke tests",
        "`smoke tests` is not allowed as a DAG's id",
        "write the id as Airflow shows it",
    ),
    "track: true": M(
        "track: callback",
        "track: true",
        "true",
        "must be `callback` or `none`, not `true`",
        "write `track: callback`",
        "orders",
    ),
    "enabled: yes": M(
        "max_age: 24h", "enabled: yes", "yes", "must be true or false, not `yes`", "write `true`"
    ),
    "a filter's key as a template": M(
        "key: data.targetSlot",
        'key: "{{ data.targetSlot }}"',
        '"{{',
        "is not a key of a filter",
        "write data.targetSlot",
    ),
    "a member of app in a filter": M(
        "key: data.targetSlot",
        "key: app.slott",
        "app.slott",
        "`app` has no member `slott`",
        "did you mean `slot`? (it has site, slot,",
    ),
    # --- types of values
    "a text for a list": M(
        "[Microsoft.Web.SlotSwapCompleted]",
        "Microsoft.Web.SlotSwapCompleted",
        "Microsoft.Web",
        "must be a list, not `Microsoft.Web.SlotSwapCompleted`",
        "write `types: [Microsoft.Web.SlotSwapCompleted]`",
    ),
    "a text for an object": M(
        "subject:\n        begins_with: /blobServices/default/containers/orders/\n        ends_with: .csv",
        "subject: /blobServices/*",
        "/blob",
        "must be an object, not `/blobServices/*`",
        "write `subject: {begins_with: /blobServices/}`",
        "orders",
    ),
    "a number for a text": M(
        "description: A new version went live",
        "description: 5",
        "5",
        "must be text, not the number 5",
        'write it in quotes: `"5"`',
    ),
    "a text for a number": M(
        "values: [production]",
        "values: [5]",
        "5]",
        "StringIn compares with strings, and 5",
        'write text in quotes: `"5"`',
    ),
    "a duration in words": M("24h", "2 days", "2 days", "`2 days` is not a duration", "write `48h`"),
    "a duration in days": M("24h", "1d", "1d", "`1d` is not a duration", "write `24h`"),
    "a duration without a unit": M(
        "24h", "3600", "3600", "must be a duration, not the number 3600", "write `3600s`"
    ),
    "a hexadecimal number": M(
        '"{{ app.slot }}"',
        "0x1F",
        "0x1F",
        "`0x1F` is read as the number 31",
        'write `"0x1F"` if it is text, or `31`',
        warning=True,
    ),
    "an octal number": M(
        '"{{ app.slot }}"',
        "0o17",
        "0o17",
        "`0o17` is read as the number 15",
        'write `"0o17"` if it is text, or `15`',
        warning=True,
    ),
    "zeros in front": M(
        '"{{ app.slot }}"',
        "0123",
        "0123",
        "`0123` is read as the number 123",
        'write `"0123"` if it is text, or `123`',
        warning=True,
    ),
    "a commit's hash": M(
        '"{{ app.slot }}"',
        "12e34",
        "12e34",
        "`12e34` is read as the number 1.2e+35",
        'write `"12e34"` if it is text',
        warning=True,
    ),
    "a hexadecimal name": M(
        "name: swap",
        "name: 0x1F",
        "0x1F",
        "must be text, not the number 31 (`0x1F`)",
        'write it in quotes: `"0x1F"`',
        "",
    ),
    "a colon without a space": M(
        "dag: smoke_tests",
        "dag:smoke_tests",
        ":smoke",
        "a colon needs a space after it",
        "write `dag: smoke_tests`",
    ),
    # --- quotes
    "a template without quotes": M(
        '"{{ app.site }}"', "{{ app.site }}", "{{", "a template needs quotes", 'write `"{{ app.site }}"`'
    ),
    "a template and text without quotes": M(
        '"{{ app.site }}"', "{{ app.site }}/x", "{{", "a template needs quotes", 'write `"{{ app.site }}/x"`'
    ),
    "a template with quotes in it": M(
        '"{{ app.site }}"',
        '{{ app.site | default("x") }}',
        "{{",
        "a template needs quotes",
        "write `'{{ app.site | default(\"x\") }}'`",
    ),
    "a template in an object": M(
        '{url: "{{ data.url }}"',
        "{url: {{ data.url }}",
        "{{",
        "a template needs quotes",
        'write `"{{ data.url }}"`',
        "orders",
    ),
    "quotes within quotes": M(
        '"{{ app.site }}"',
        '"{{ app.site | default("x") }}"',
        'x") }}"',
        "text after the closing quote",
        "write `'{{ app.site | default(\"x\") }}'`",
    ),
    "text after a quote": M(
        '"{{ app.site }}"',
        '"{{ app.site }}"/x',
        "/x",
        "text after the closing quote",
        'write `"{{ app.site }}/x"`',
    ),
    "a quote that is not closed": M(
        '"{{ app.site }}"',
        '"{{ app.site }}',
        '"{{ app.site',
        'this quote `"` is not closed',
        'write `"{{ app.site }}"`',
    ),
    "the last quote is not closed": M(
        'size: "{{ data.contentLength }}"',
        'size: "{{ data.contentLength }}',
        '"{{ data.c',
        'this quote `"` is not closed',
        'write `"{{ data.contentLength }}"`',
        "orders",
    ),
    "a backslash in quotes": M(
        '"{{ app.site }}"',
        '"C:\\data"',
        "\\data",
        "`\\` in double quotes begins an escape",
        "write single quotes: `'C:\\data'`",
    ),
    "a colon in a text": M(
        "A new version went live",
        "After swap: check it",
        ": check",
        "a text with `: ` in it needs quotes",
        'write `description: "After swap: check it"`',
    ),
    "a setting without quotes": M(
        '"%UPDRAFT_AIRFLOW_URL%"',
        "%UPDRAFT_AIRFLOW_URL%",
        "%UP",
        "a text that begins with `%` needs quotes",
        'write `"%UPDRAFT_AIRFLOW_URL%"`',
        "",
    ),
    "a star without quotes": M(
        "ends_with: .csv",
        "ends_with: *.csv",
        "*.csv",
        "a text that begins with `*` needs quotes",
        'write `"*.csv"`',
        "orders",
    ),
    # --- indentation and punctuation
    "a tab": M(
        "      dag: smoke_tests",
        "\tdag: smoke_tests",
        "\tdag",
        "a tab in the indentation",
        "indent with spaces",
    ),
    "indented too little": M(
        "      dag: smoke_tests",
        "     dag: smoke_tests",
        "dag:",
        "is indented by 5 spaces",
        "indent `dag:` by 6 spaces",
    ),
    "indented too much": M(
        "      dag: smoke_tests",
        "       dag: smoke_tests",
        "dag:",
        "is indented by 7 spaces",
        "indent `dag:` by 6 spaces",
    ),
    "a part that is indented too little": M(
        "    start:\n      connection: analytics\n      dag: smoke",
        "   start:\n      connection: analytics\n      dag: smoke",
        "start:",
        "is indented by 3 spaces",
        "indent `start:` by 4 spaces",
    ),
    "no dash": M(
        "  - name: orders",
        "  name: orders",
        "name: orders",
        "`name: orders` is not a list item",
        "write `- ` before it",
    ),
    "a dash without a space": M(
        "  - name: orders",
        "  -name: orders",
        "-name",
        "a `-` needs a space after it",
        "write `- name: orders`",
    ),
    "a key without a colon": M(
        "    when:\n      types: [Microsoft.W",
        "    when\n      types: [Microsoft.W",
        "when\n",
        "a key needs a colon after it",
        "write `when:`",
    ),
    "a list that is not closed": M(
        "[Microsoft.Web.SlotSwapCompleted]",
        "[Microsoft.Web.SlotSwapCompleted",
        "[Microsoft",
        "`[` is not closed",
        "write `]`",
    ),
    "a comma is missing": M(
        '"{{ data.url }}", size',
        '"{{ data.url }}" size',
        "size:",
        "a `,` is missing",
        "write `,` between two members",
        "orders",
    ),
    "a second document": M(
        "rules:\n", "---\nrules:\n", "---", "a second document begins here", "delete the line `---`", ""
    ),
    "an alias without an anchor": M(
        '"{{ app.slot }}"',
        "*slot",
        "*slot",
        "the alias `*slot` has no anchor `&slot`",
        "write `&slot` before the value",
    ),
    "a byte order mark inside": M("rules:\n", "\ufeffrules:\n", "\ufeffrules", "U+FEFF", "delete it", ""),
    # --- templates
    "an unknown member of app": M(
        "app.site",
        "app.sitename",
        '"{{',
        "`app` has no member `sitename`",
        "did you mean `site`? (it has site, slot, ",
    ),
    "an unknown member of event": M(
        "app.site",
        "event.eventType",
        '"{{',
        "`event` has no member `eventType`",
        "did you mean `type`? (it has id, source, type,",
    ),
    "an unknown filter": M(
        "{{ app.site }}",
        "{{ app.site | defaul('x') }}",
        '"{{',
        "unknown filter `defaul`",
        "did you mean `default`? (there are d, default, ",
    ),
    "an unknown name": M(
        "app.site",
        "dta.site",
        '"{{',
        "`dta` is not defined",
        "did you mean `data`? (there are app, data, event, ",
    ),
    "a macro of Airflow": M(
        "app.site",
        "ds",
        '"{{',
        "`ds` is not defined: Airflow's macros are not available here",
        "write one of app, data, event, ",
    ),
    "a setting": M(
        "app.site",
        "env.SITE",
        '"{{',
        "`env` is not defined: templates do not read settings",
        "write one of app, data, event, ",
    ),
    "a brace is missing": M(
        '"{{ app.site }}"', '"{{ app.site }"', '"{{', "`{{` is not closed by `}}`", "write `{{ app.site }}`"
    ),
    "a tag that is not closed": M(
        '"{{ app.site }}"', '"{% if app %}x"', '"{%', "`{% if … %}` is not closed", "write `{% endif %}`"
    ),
    "two words": M(
        "app.site", "app.site slot", '"{{', "`slot` is not expected there", "write a filter after `|`"
    ),
    "a call": M("app.site", "app.site()", '"{{', "calls are not available in templates", "write a filter"),
    "a loop": M(
        "{{ app.site }}",
        "{% for x in data %}{{ x }}{% endfor %}",
        '"{%',
        "loops are not available",
        "write `map`",
    ),
    # --- silent before
    "a type that no service emits": M(
        "SlotSwapCompleted",
        "SlotSwapComplete",
        "Microsoft.Web.SlotSwapComplete",
        "no Azure service is known to emit the event type `Microsoft.Web.SlotSwapComplete`",
        "did you mean `Microsoft.Web.SlotSwapCompleted`?",
        warning=True,
    ),
    "app of an event without one": M(
        "data.url",
        "app.site",
        '"{{',
        "only events about a web app have `app`",
        "write the event's own data",
        "orders",
    ),
    "a scope without .default": M(
        "api://airflow/.default",
        "api://airflow",
        '"api',
        "does not end with `/.default`",
        "write `api://airflow/.default`",
        "",
        warning=True,
    ),
    "an identity for all events": M(
        '"{{ data.correlationRequestId }}"',
        "swap",
        "swap",
        "`swap` is the same for every event",
        "write a template",
    ),
}
