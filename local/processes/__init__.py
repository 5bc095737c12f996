"""Starting, watching and ending programs.

processes  the programs of one stack
guard      ends them where the stack itself was killed
ports      free ports on loopback
node       finds a Node.js and installs Azurite
"""
