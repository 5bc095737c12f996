"""Queue triggers: poll a Storage queue, run the function for each message, and complete the message.

The host deletes a completed message, hides it for a time, or moves it to the poison queue. The real host does
the same on one instance (QueueListener and QueueProcessor in Azure/azure-sdk-for-net,
Microsoft.Azure.WebJobs.Extensions.Storage.Queues).
"""

import asyncio
import base64
import binascii
import json
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import datetime
from typing import TYPE_CHECKING, Any

from local.functions_host.invocations import Invocations
from local.functions_host.protos import TypedData
from local.functions_host.settings import QueueOptions

if TYPE_CHECKING:
    from azure.storage.queue import QueueClient, QueueMessage, QueueServiceClient

log = logging.getLogger("Host.Triggers.Queues")

LEASE = 600
"""Seconds for which a message is hidden while its function runs; renewed at half, as in the real host."""

_FIRST_WAIT = 0.1
_POISON = "-poison"


class QueueTrigger:
    """The queue trigger of one function.

    Args:
        function: The function's name.
        service: The queue service.
        queue: The queue's name.
        options: The queue options in host.json.
        invocations: Runs the function.
        threads: The threads for calls of the service.
        lease: Seconds for which a message is hidden while its function runs; LEASE by default.
    """

    def __init__(
        self,
        function: str,
        service: "QueueServiceClient",
        queue: str,
        *,
        options: QueueOptions,
        invocations: Invocations,
        threads: Executor,
        lease: int | None = None,
    ) -> None:
        self._function = function
        self._name = queue
        self._service = service
        self._queue = service.get_queue_client(queue)
        self._poison = None if queue.endswith(_POISON) else service.get_queue_client(queue + _POISON)
        self._options = options
        self._invocations = invocations
        self._threads = threads
        self._lease = lease or LEASE
        self._working: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    async def poll(self) -> None:
        """Poll until `stop`; if the service fails, log it once and try again."""
        wait, failing = _FIRST_WAIT, False
        while not self._stopping.is_set():
            if len(self._working) > self._options.new_batch_threshold:
                await asyncio.wait(self._working, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
                continue
            try:
                messages = await self._receive()
                failing = False
            except Exception as error:  # noqa: BLE001 - polling continues after any error
                if not failing:
                    log.warning("Cannot read queue '%s': %s", self._name, _first_line(error))
                messages, failing = [], True
            if self._stopping.is_set():
                await self._give_back(messages)
                return
            for message in messages:
                task = asyncio.create_task(self._process(message))
                self._working.add(task)
                task.add_done_callback(self._working.discard)
            if messages:
                wait = _FIRST_WAIT
            else:
                await self._pause(wait)
                wait = min(wait * 2, self._options.max_polling_interval)

    def stop(self) -> None:
        """Fetch no more messages; messages of a running fetch become visible again."""
        self._stopping.set()

    async def drain(self, seconds: float) -> None:
        """Wait up to `seconds` for running functions; other messages return when their leases end."""
        if self._working:
            await asyncio.wait(self._working, timeout=seconds)
        for task in self._working:
            task.cancel()

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    async def _give_back(self, messages: "list[QueueMessage]") -> None:
        for message in messages:
            await self._set_visibility(message, 0)

    async def _receive(self) -> "list[QueueMessage]":
        from azure.core.exceptions import ResourceNotFoundError

        def receive() -> "list[QueueMessage]":
            batch = self._options.batch_size
            return list(
                self._queue.receive_messages(
                    messages_per_page=batch, max_messages=batch, visibility_timeout=self._lease
                )
            )

        try:
            return await self._call(receive)
        except ResourceNotFoundError as error:
            if getattr(error, "error_code", None) != "QueueNotFound":
                raise
            return []  # A queue that does not exist yet is empty.

    async def _process(self, message: "QueueMessage") -> None:
        try:
            if (message.dequeue_count or 0) > self._options.max_dequeue_count:
                # Version 5.3.7, which Azure's bundle pins, skips it in a poison queue without a log line.
                if self._poison:
                    await self._move_to_poison(message)
                return
            try:
                body = self._decode(message.content or "")
            except binascii.Error:
                log.warning(
                    "Message decoding has failed! Check MessageEncoding settings. MessageId=%s.", message.id
                )
                if self._poison:
                    await self._move_to_poison(message, said=True)
                return
            done = asyncio.Event()
            renewal = asyncio.create_task(self._renew(message, done))
            try:
                succeeded = await self._run(message, body)
            finally:
                # Not cancelled: a running renewal changes the receipt that the deletion needs.
                done.set()
                await renewal
            await self._complete(message, succeeded=succeeded)
        except Exception as error:  # noqa: BLE001 - an error with one message must not stop the others
            log.warning(
                "Message %s of queue '%s' could not be completed: %s",
                message.id,
                self._name,
                _first_line(error),
            )

    def _decode(self, content: str) -> bytes:
        if not self._options.base64:  # messageEncoding: none
            return content.encode()
        return base64.b64decode("".join(content.split()), validate=True)

    async def _run(self, message: "QueueMessage", body: bytes) -> bool:
        reason = f"New queue message detected on '{self._name}'."
        try:
            text = body.decode()
        except UnicodeDecodeError as error:
            refused = await self._invocations.refuse(self._function, reason=reason, error=str(error))
            return refused.succeeded
        result = await self._invocations.run(
            self._function,
            TypedData(string=text),
            reason=reason,
            metadata=_metadata(message, text),
            details=(
                f"MessageId: {message.id}, DequeueCount: {message.dequeue_count}, "
                f"InsertionTime: {_moment(message.inserted_on)}"
            ),
        )
        return result.succeeded

    async def _renew(self, message: "QueueMessage", done: asyncio.Event) -> None:
        while not done.is_set():
            try:
                async with asyncio.timeout(self._lease / 2):
                    await done.wait()
            except TimeoutError:
                try:
                    await self._set_visibility(message, self._lease)
                except Exception as error:  # noqa: BLE001 - the next renewal may succeed
                    log.warning("The lease of message %s was not renewed: %s", message.id, _first_line(error))

    async def _complete(self, message: "QueueMessage", *, succeeded: bool) -> None:
        if succeeded:
            await self._delete(message)
        elif not self._poison:
            # A poison queue has no poison queue: the message stays hidden, or it would fail in a loop.
            return
        elif (message.dequeue_count or 0) >= self._options.max_dequeue_count:
            await self._move_to_poison(message)
        else:
            await self._set_visibility(message, int(self._options.visibility_timeout))

    async def _move_to_poison(self, message: "QueueMessage", *, said: bool = False) -> None:
        poison = self._poison
        assert poison is not None
        if not said:
            log.warning(
                "Message has reached MaxDequeueCount of %d. Moving message to queue '%s'.",
                self._options.max_dequeue_count,
                poison.queue_name,
            )
        await self._call(lambda: _send_and_create(poison, message.content))
        await self._delete(message)

    async def _set_visibility(self, message: "QueueMessage", seconds: int) -> None:
        def update() -> None:
            updated = self._queue.update_message(message.id, message.pop_receipt, visibility_timeout=seconds)
            message.pop_receipt = updated.pop_receipt

        await self._call(update)

    async def _delete(self, message: "QueueMessage") -> None:
        await self._call(lambda: self._queue.delete_message(message.id, message.pop_receipt))

    async def _call[T](self, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function)


def _send_and_create(queue: "QueueClient", content: Any) -> None:
    from azure.core.exceptions import ResourceNotFoundError

    try:
        queue.send_message(content)
    except ResourceNotFoundError:
        queue.create_queue()
        queue.send_message(content)


def _metadata(message: "QueueMessage", text: str) -> dict[str, TypedData]:
    return {
        "QueueTrigger": TypedData(string=text),
        "Id": TypedData(string=message.id),
        "DequeueCount": TypedData(json=str(message.dequeue_count)),
        "PopReceipt": TypedData(string=message.pop_receipt),
        "InsertionTime": TypedData(json=json.dumps(_moment(message.inserted_on))),
        "ExpirationTime": TypedData(json=json.dumps(_moment(message.expires_on))),
        "NextVisibleTime": TypedData(json=json.dumps(_moment(message.next_visible_on))),
    }


def _moment(value: datetime | None) -> str:
    return value.isoformat() if value else ""


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
