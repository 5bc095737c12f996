"""Starting, watching and ending programs.

processes        the programs of one stack
programs         starts one program
default_signals  undoes what a program inherited: signals that its parent ignored or blocked
guard            ends them where the stack itself was killed
ports            free ports on loopback
node             finds a Node.js and installs Azurite
"""
