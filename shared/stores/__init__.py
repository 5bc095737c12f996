"""What is kept in the app's own Storage account.

names               names of queues
parking             deliveries that wait, in a queue
dead_letters        writes what cannot be delivered
dead_letter_reader  reads dead letters, ours and Event Grid's
windows             bursts that are being collected: the contract
window_blobs        windows as append blobs
"""
