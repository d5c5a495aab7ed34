"""`python -m seedance`: the command line."""

import sys


def main() -> int:
    """Run the command line. A Ctrl-C while it is imported ends it without a traceback."""
    try:
        from .cli import main as run
    except KeyboardInterrupt:
        print("seedance: Interrupted. Nothing was spent.", file=sys.stderr)
        return 130
    return run()


if __name__ == "__main__":
    sys.exit(main())
