"""The figures of the yardstick, one file a family; plain functions of arrays."""
