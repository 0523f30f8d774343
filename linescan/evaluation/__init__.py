"""The yardstick: how good depth is against known truth, and against what costs nothing."""
