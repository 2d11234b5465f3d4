"""``python -m channels startproject NAME [FOLDER]``: a Django project with real time in it."""

from __future__ import annotations

import sys

from channels.scaffold.new_project import main

if __name__ == "__main__":
    sys.exit(main())
