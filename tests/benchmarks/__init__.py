"""Measured side by side with what a user would use instead.

Not part of the test command. Installs nothing: peers that are not found are
left out and named. Both sides of every ratio run in one call, in turns, over a
real sshd on loopback where a network is meant; medians are printed.

    python -m tests.benchmarks --size 8 --rounds 3 --folder /somewhere/with/room
"""
