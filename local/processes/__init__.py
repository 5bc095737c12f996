"""Starting, watching and ending programs.

processes        the programs of one stack
programs         starts one program
default_signals  resets signals that the parent process ignored or blocked
guard            ends the programs if the stack was killed
sockets          the sockets of a stack that other users can reach
private          folders and files that only their owner can access
ports            free ports on loopback
node             finds a Node.js and installs Azurite
"""
