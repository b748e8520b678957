"""`locvlm` on the command line, and `python -m locvlm`."""

import sys

RESUMING = ("train", "ablate", "eval", "score", "demo", "pseudo")  # from where they were stopped


def main() -> int:
    """As `cli.main`; Ctrl-C is answered at once, while it is being imported too."""
    try:
        from locvlm.runtime import interrupts

        interrupts.listen(interrupts.GOES_ON if sys.argv[1:2] in ([c] for c in RESUMING) else "")
        from locvlm import cli
    except KeyboardInterrupt:
        print("\nlocvlm: stopped", file=sys.stderr)
        return 130
    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
