"""The command line: the same requests as any console, one noun and one verb each.

It reads the job store and writes requests into it; the engine alone changes jobs.
So nothing here needs undoing after a crash: a command killed at any moment has
either submitted its request, which the engine then carries out, or has not.

``main``      the entry: nothing imported, nothing that can leave a traceback
``endings``   exit statuses of what is ended from outside
``app``       the root of the grammar, errors and exit codes
``grammar``   what all verbs share: global options, --wait, names of things
``session``   one command's view of a home: store, engine, requests, prompts
``output``    standard output and standard error, printable whatever comes
``launch``    starting the engine, finding out that it stopped
``words``, ``pages``, ``tables``, ``drawing``   documents as a person reads them
``progress``, ``frames``, ``live``   what is seen while something goes on
``sources``, ``jobs``, ``images``, ``stores``, ``engines``, ``configs``   the nouns
``completion``, ``manual``   for shells and for man, from the ``tree`` of commands
``reference`` the README's tables, likewise
``doctor``    what this machine has: looked at in ``machine``, judged in ``health``
``demo``      the whole way in one command

Start-up is most of a command's run time, so a noun's module is imported when that
noun is used, and rich only when there is a terminal to draw on.
"""
