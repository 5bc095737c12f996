"""What is kept in the app's own Storage account.

names               names of queues
queue_messages      what a queue message may hold, and sending one
work_items          what can wait, by kind
work_forms          how that is written as JSON
parked              a delivery that waits, and its message
parking             deliveries that wait, in a queue
poison              poison queues: putting a message back
dead_letter_names   names of dead letters and of their marks
resent              what was given up, and is sent again to all rules
dead_letters        writes what cannot be delivered
dead_letter_reader  reads dead letters, ours and Event Grid's
windows             bursts that are being collected: the contract
window_blobs        windows as append blobs
"""
