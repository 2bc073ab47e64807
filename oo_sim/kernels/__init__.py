"""Compiled functions on plain arrays, each with the formula's source; the lane is the last axis everywhere."""
