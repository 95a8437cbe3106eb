"""The engine: the one process of a home that changes jobs.

    engine      wiring, the loop: requests, what is due, waiting
    clock       the time everything here lives by
    claim       being the only engine, and being woken
    context     what all parts share: home, store, clock, seams, tasks
    ledger      every change of a job, each one transaction
    holdings    the same for the intermediate resources
    answers     what accepted requests wait for
    runs        the sync workers: start, tell, hear, settle
    places      the queue in which they wait
    activity    a run while it is at work, and what is shown of it
    drills      migration drills, and what follows from them; drillbook writes it down
    cutovers    services stopped, the way back; cutoverbook writes it down
    orders      what each worker is told
    logs        what workers say on the side, bounded
    worker      one worker process and its lines
    works       verification, export, checks: the image workers
    keeping     images kept, adopted, removed; staging areas released
    collecting  collections of the image store that nobody asked for
    recovery    what a new engine finds and puts right
    verbs/      what each request does

One asyncio thread does everything that changes the store, without awaiting between
looking at a job and committing its change: so no two changes ever cross. Commits
block that thread for the milliseconds of an fsync, which nothing here notices;
whatever may take longer runs in a worker process or a thread that touches no job.
"""
