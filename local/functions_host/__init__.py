"""A Functions host for one machine, round Microsoft's own Python runtime.

The real host is a .NET program; what runs a Python app inside it is `azure-functions-runtime`, which is a
PyPI package. This package drives that runtime as the real host does (its indexer, its converters, its
thread pool) and adds the four triggers that the app uses: HTTP, the Event Grid webhook, Storage queues and
timers.

* `worker`: the runtime in this process, without any server: `async with Worker(folder) as worker: ...`
* `host`: the worker with its triggers and a web server on 127.0.0.1
* `python -m local.functions_host --port 7071`: the same as a command
"""
