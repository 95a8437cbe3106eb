"""The console: SMC's Server Migration page in a terminal.

    feed      what the job store says, twice a second, and what of it is new
    render    pure: things -> cells and lines of text
    widgets   what Textual lacks: a table that sends only what changed
    screens   one page each
    dialogs   one question each

It reads the job store and writes requests into it; the engine does the rest. A
lost terminal, a second console or none at all make no difference to a migration.
"""
