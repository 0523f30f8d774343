"""Tests of the robustness suite."""
