"""One file a backend: what loads and runs a model. ``linescan.depth.engine`` chooses."""
