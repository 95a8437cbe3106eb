"""One run: a source's disks are compared with what is known and brought up to date.

    __main__.py      the process: one description in, lines out
    description.py   what a run is told
    lines.py         how it hears the engine and speaks to it
    progress.py      what it has done so far, and what holds it up
    pacing.py        speed limit and compression level
    connection.py    the way to the source, and the next one when it is lost
    retrying.py      when the next one is tried, and how often
    recognition.py   is it the imported disk, and did anything write to it meanwhile
    transfer.py      the pipeline: scan, answer, want, data
    segments.py      what an answer means for one segment
    checkpoints.py   when what was received becomes durable
    run.py           from connecting to the published image

A run is a process of its own: killing it hurts one job. It needs no job store,
only the description, so it could as well run on another host.
"""
