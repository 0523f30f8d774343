"""The conformance vectors of linescan/1, see scripts/make_protocol_vectors.py."""
