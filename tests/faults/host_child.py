"""`python -m tests.faults.host_child`: the app in the local Functions host, with the suite's short waits.

The messages of a killed host stay hidden for ten minutes, on Azure and in the local host. Here it is some
seconds.
"""

import os
import sys

import shared.app
from local.functions_host import queues
from local.functions_host.__main__ import main
from local.processes import default_signals
from tests.faults.trial import QUICK

LEASE = 5

if __name__ == "__main__":
    default_signals.restore()
    queues.LEASE = LEASE
    shared.app.start_anew(lambda: shared.app.App(os.environ, policy=QUICK))
    sys.exit(main(sys.argv[1:]))
