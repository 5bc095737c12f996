"""The command `updraft`.

main                      runs the command that the command line names, and returns the exit status
lazy_group                imports only that command
commands/                 one module for each command
options                   options that several commands share
rules_file                reads rules.yaml
rules_problems            how its mistakes are shown
local_settings            the settings of a local stack, for `--local`
output                    JSON documents, errors and progress, in one form for all commands
event_files               the events of a file, of whatever schema
explained, explain_view   what `explain` finds out, and how it is shown
explain_selection         which rules it shows
live_checks, dag_params   the live half of `validate`
diagnosis                 what is wrong with one connection, for `doctor` and `validate --live`
unreachable, dag_state, token_claims  its parts: no answer of Airflow's, one DAG, one credential
findings                  what a check has found, for people and for `--json`
waiting                   says what a command waits for
outgoing, json_members    the events that `publish` sends, and changes in their text
topic, posting            sends events to a topic; one POST
expected_runs             the runs that events should start
run_lookup, follow        looks for runs, and follows them
timeline                  the steps of an event, one a line
letter_stores, dead_letter_container, poison_messages  where dead letters are, for `replay`
letter_selection          which of them a command line names
dead_letter_view, resend  how `replay` shows them, and sends them again
resend_wait               the result of what was sent again
"""
