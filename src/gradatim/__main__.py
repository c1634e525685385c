"""`python -m gradatim`."""

from gradatim.cli import main

if __name__ == "__main__":
    main()
