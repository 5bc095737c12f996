"""The command `updraft`.

main            runs the command that the command line names, and returns the exit status
lazy_group      imports only the module of that command
commands/       one module for each command
options         options that several commands share
output          errors, usage errors, progress bars and words, in one form for all commands
local_settings  the settings of a local stack, for `--local`
hints           the commands that messages suggest
key_vaults      the Key Vaults of a command
airflow_commands  the commands of Airflow that fix what a check has found
findings        what a check has found, for people and for `--json`
waiting         names the work that takes longer than a second
rules_file      reads rules.yaml
rules_problems  shows its mistakes
event_files     reads the events of a file, whatever their schema
json_mistakes   says in plain words why a file is not JSON
explain/        for `explain` and `validate`: the decision of each rule about each event
checks/         for `doctor` and `validate --live`: what is wrong with a connection or a DAG
publish/        for `publish` and `hook`: sends events and bodies
follow/         for `--wait`: the runs that events should start, and their steps
replay/         for `replay`: reads dead letters, and sends them again
"""
