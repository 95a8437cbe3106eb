"""What things are and what may happen to them.

Pure: no file, no socket, no clock of its own. Time comes in as an argument,
results go out as values, so every rule here can be tested as a table.
"""
