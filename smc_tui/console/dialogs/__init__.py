"""The console's questions."""
