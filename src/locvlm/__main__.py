"""`locvlm` on the command line, and `python -m locvlm`."""

import sys


def main() -> int:
    """As `cli.main`; Ctrl-C is answered at once, while it is being imported too."""
    try:
        from locvlm.runtime import interrupts

        interrupts.listen()
        from locvlm import cli
    except KeyboardInterrupt:
        print("\nlocvlm: stopped", file=sys.stderr)
        return 130
    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
