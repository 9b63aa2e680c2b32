"""`python -m recognizer` is the command `recognizer`."""

from recognizer.cli import main

main()
