"""The one logger of this app, `updraft`."""

import logging
from typing import Final

LOGGER: Final = logging.getLogger("updraft")
