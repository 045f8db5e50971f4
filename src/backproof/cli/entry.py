"""What the command `backproof` starts: the command line, and a quick way past it for probes."""

import sys


def main() -> None:
    if sys.argv[1:2] == ["health"]:
        from backproof.cli.health import main as health

        if (code := health(sys.argv[2:])) is not None:
            sys.exit(code)
    from backproof.cli.app import main as command_line

    command_line()


if __name__ == "__main__":
    main()
