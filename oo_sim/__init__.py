"""Simulate, compare and serve bandit recommenders."""
