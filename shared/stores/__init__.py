"""The app's own Storage account: queues, dead letters and windows.

names               names of queues
queue_messages      size and text of a queue message; sends one
work_items          work that can be parked, by kind
work_forms          work items as JSON
parked              a parked delivery, and its message
parking             the queue of parked deliveries
poison              poison queues: puts a message back
dead_letter_names   names of dead letters and of their marks
resent              replayed events that go to all rules
dead_letters        writes dead letters
dead_letter_reader  reads dead letters of this app and of Event Grid
windows             windows of events: the protocol
window_blobs        windows as append blobs
"""
