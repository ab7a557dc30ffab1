"""`python -m linnet.cli` is `linnet`."""

from linnet.cli import main

if __name__ == "__main__":
    main()
