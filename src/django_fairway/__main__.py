"""``python -m django_fairway``: look at the installation, and mend it."""

import sys

from django_fairway.migrate import main

sys.exit(main())
