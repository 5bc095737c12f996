"""Storage queues: new events from Event Grid, and parked deliveries."""

import azure.functions as func

from shared.app import app
from shared.stores.names import EVENT_QUEUE, PARKED_QUEUE, poison_queue

blueprint = func.Blueprint()

STORAGE = "AzureWebJobsStorage"


@blueprint.queue_trigger(arg_name="message", queue_name=EVENT_QUEUE, connection=STORAGE)
def event_queue(message: func.QueueMessage) -> None:
    """Handle one event; raising leaves it in the queue, for up to `maxDequeueCount` deliveries."""
    app().queues.receive_event(message.get_body(), message.dequeue_count, message.insertion_time)


@blueprint.queue_trigger(arg_name="message", queue_name=PARKED_QUEUE, connection=STORAGE)
def parked_queue(message: func.QueueMessage) -> None:
    """Try a parked delivery again."""
    app().queues.receive_parked(message.get_body(), message.dequeue_count)


@blueprint.queue_trigger(arg_name="message", queue_name=poison_queue(EVENT_QUEUE), connection=STORAGE)
def event_queue_poison(message: func.QueueMessage) -> None:
    """Store an event from the poison queue as a dead letter, so that `updraft replay` can send it again."""
    app().queues.bury(message.get_body(), queue=EVENT_QUEUE)


@blueprint.queue_trigger(arg_name="message", queue_name=poison_queue(PARKED_QUEUE), connection=STORAGE)
def parked_queue_poison(message: func.QueueMessage) -> None:
    """Store a parked delivery from the poison queue as a dead letter."""
    app().queues.bury(message.get_body(), queue=PARKED_QUEUE)
