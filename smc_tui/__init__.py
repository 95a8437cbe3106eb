"""smc-tui: incremental server migration over SSH.

The rooms, from the ground up (imports run downwards only):

``model``     what things are and what may happen to them; pure
``jobstore``  the model remembered in SQLite; the one thing all processes share
``config``    what was configured: file, environment, flags
``images``    blocks, packs, index, manifests: the kept images
``source``    the server being migrated: link, protocol, agent, inventory
``sync``      one run: compare, transfer, resume
``drill``     a migration drill: what stands in a migration's way, found before it
``engine``    scheduling, requests, supervision, retention
``cli``       the command line
"""

__version__ = "0.1.0"
