"""A live file system, its image, and the proof that the one is the other at one instant."""
