"""Things of the model as cells and lines: pure, no widget, no clock of its own."""
