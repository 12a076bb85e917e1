import sys

from app.verifier.command import main

if __name__ == "__main__":
    sys.exit(main())
