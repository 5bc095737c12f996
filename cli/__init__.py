"""The command `updraft`.

main                      reads the command line
commands/                 one module for each command
rules_file                options and files that several commands share
output                    lines, tables and progress for a terminal
explained, explain_view   what `explain` finds out, and how it is shown
live_checks, dag_params   the live half of `validate`
dead_letter_container, poison_messages, resend  dead letters and poison queues, for `replay`
"""
