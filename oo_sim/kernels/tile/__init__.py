"""Worlds and policies compiled together, as tiles of 64 users."""
