"""`python -m local.functions_host`: run a Functions app on 127.0.0.1 until Ctrl-C."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from local.functions_host.host import Host
from local.functions_host.settings import HostSettingsError, load_local_settings
from local.functions_host.worker import AppNotIndexed
from local.processes import default_signals

from . import logs

log = logging.getLogger("Host.Startup")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the host, and return the exit code: 0 after a signal to stop, 1 if the app cannot start."""
    options = _parser().parse_args(arguments)
    app = options.app.resolve()
    logs.configure(log_file=options.log_file.resolve() if options.log_file else None, verbose=options.verbose)
    if not app.is_dir():
        log.error("There is no folder %s", app)
        return 1
    try:
        load_local_settings(app)
        os.chdir(app)
        return asyncio.run(_run(Host(app, port=options.port), grace=options.grace))
    except HostSettingsError as error:
        log.error("%s", error)  # noqa: TRY400 - the message is enough
    except AppNotIndexed as error:
        log.error("The app in %s cannot be indexed.\n%s", app, error)  # noqa: TRY400 - the message has the traceback
    return 1


async def _run(host: Host, *, grace: float) -> int:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stopped.set)
    await host.start()
    _announce(host)
    await stopped.wait()
    log.info("Stopping: waiting up to %g s for running functions.", grace)
    left = await host.stop(grace)
    if left:
        log.warning("%d function(s) still run; they end with the process.", left)
        logging.shutdown()
        # A running thread ends only with its process; the interpreter's normal exit would wait for it.
        os._exit(0)
    log.info("Stopped.")
    return 0


def _announce(host: Host) -> None:
    lines = ["Functions:", ""]
    for route in host.routes:
        methods = f"[{','.join(sorted(route.methods))}] " if route.methods else ""
        lines += [f"\t{route.function}: {methods}{host.url}/{route.template}", ""]
    for function in host.worker.functions.values():
        if function.trigger_type != "httptrigger":
            lines += [f"\t{function.name}: {function.trigger['type']}", ""]
    log.info("\n".join(lines).rstrip())
    log.info("Now listening on: %s", host.url)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.functions_host", description=__doc__)
    parser.add_argument("--port", "-p", type=int, default=7071, help="port on 127.0.0.1; 0: any free one")
    parser.add_argument("--app", type=Path, default=Path(), help="folder with function_app.py (here)")
    parser.add_argument("--log-file", type=Path, help="append the log to this file, as JSON lines")
    parser.add_argument(
        "--grace", type=float, default=5.0, help="seconds to wait for running functions at the end"
    )
    parser.add_argument(
        "--verbose", action="store_true", help="show the log lines of the runtime and the clients, too"
    )
    return parser


if __name__ == "__main__":
    default_signals.restore()
    sys.exit(main())
