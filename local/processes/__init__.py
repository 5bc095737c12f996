"""Starting, watching and ending programs.

processes        the programs of one stack
programs         starts one program
default_signals  undoes what a program inherited: signals that its parent ignored or blocked
guard            ends them where the stack itself was killed
sockets          which sockets of a stack are open to others
private          folders and files for their owner alone
ports            free ports on loopback
node             finds a Node.js and installs Azurite
"""
