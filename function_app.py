"""The one FunctionApp: every function lives in a blueprint of its own in `functions/`."""

import os

import azure.functions as func

from shared.collector import collector_paused

app = func.FunctionApp()
with collector_paused():
    from functions import app_service, event_grid, event_queue, health, run_reports, runs, webhooks

    for module in (app_service, event_grid, event_queue, health, run_reports, runs):
        app.register_functions(module.blueprint)
    app.register_functions(webhooks.blueprint(os.environ))
