"""An app that cannot be indexed: a module is missing."""

import azure.functions as func
import no_such_module  # noqa: F401 - that it is missing is the point

app = func.FunctionApp()
