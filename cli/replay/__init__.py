"""Reads dead letters, and sends them again.

stores           opens the container or the poison queues that a command line names
container        the dead letters of a blob container
poison_messages  the messages of the poison queues
selection        selects the dead letters that a command line names
view             shows dead letters
resend           sends them again
resend_wait      waits for the result
"""
