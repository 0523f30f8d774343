"""Stages in threads, joined by channels: the road from lines to delivered inspections."""
