"""Worlds and policies compiled together, as tiles of 64 users.

What functions of these modules have in common: S (ROWS * 64,) is all that a tile remembers, in rows of a number for
each user, which `plan` names; U (128,) are the low, then the high 32 bits of the users' hashes; P the `numbers` of
world and policy; `t` the round, and `seed` and `replicate` the key of its draws. They write into S. Formulas are those
of the kernels that they name, operation by operation, so that their bits are the same.
"""
