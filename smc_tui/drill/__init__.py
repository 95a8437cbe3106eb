"""The migration drill: what stands in the way of a migration, found before it is begun.

    probe      runs on the source: what the server is, as far as a copy depends on it
    facts      what is asked of source, link and destination, each within bounds
    rules      facts -> items, small pure functions in tables: host, boot, copying
    __main__   the worker process: description in, progress lines, one report out

A drill only reads, at both ends, and installs nothing.
"""
