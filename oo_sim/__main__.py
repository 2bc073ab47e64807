"""`python -m oo_sim` is `oo-sim`."""

from oo_sim.cli import main

if __name__ == "__main__":
    main()
