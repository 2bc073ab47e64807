"""`python -m oo_sim`, and the command `oo-sim`: Ctrl-C ends them well also while the rest is still imported."""

import sys


def main() -> None:
    """The command `oo-sim`."""
    try:
        from oo_sim.cli import main as command  # noqa: PLC0415 (which takes most of the start)
    except KeyboardInterrupt:
        print("Stopped: interrupted.", file=sys.stderr)
        sys.exit(130)
    command()


if __name__ == "__main__":
    main()
