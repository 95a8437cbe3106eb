"""The server being migrated: the way to it, what it is, and reading its disks.

    hostkeys.py      the host key is shown, accepted and checked
    link.py          a program runs on the source, over ssh or in a local process
    survey.py        that program when the question is what the server is
    agent.py         that program when its disks are to be read
    services.py      that program when its services are to be stopped, or started again
    protocol.py      the frames that both speak
    client.py        this side of the conversation with the agent
    inventory.py     import and check of a source
    stopping.py      this side of stopping services

Nothing here writes to the source; what a cutover stops it starts again. All that
comes from it is hostile until checked: lengths are bounded before they are believed,
texts made printable.
"""
