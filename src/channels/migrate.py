"""``python -m channels.migrate``: the same as ``python -m django_fairway``."""

import sys

from django_fairway.migrate import main

if __name__ == "__main__":
    sys.exit(main())
