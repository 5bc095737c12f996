"""A Functions host for one machine, around Microsoft's own Python runtime.

The real host is a .NET program. Inside it, the PyPI package `azure-functions-runtime` runs a Python app. This
package calls that runtime as the real host does (its indexer, its converters, its thread pool), and adds the
triggers that the app uses.

    host                 the runtime with its triggers and a web server on 127.0.0.1
    worker               the runtime in this process, without a server
    protos               the messages that the host and the runtime exchange
    settings             host.json and application settings
    storage_connections  the Storage account that a trigger names
    invocations          one call of a function
    http, routes         HTTP triggers
    event_grid_webhook   Event Grid triggers
    queues               queue triggers
    logs                 the log on the screen and in a file

`python -m local.functions_host --port 7071` runs it as a command.
"""
