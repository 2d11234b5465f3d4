"""A process that only writes: `python -m tests.wakeups.waker SETTINGS NAME` wakes NAME after a commit."""

import json
import sys
import threading


def main() -> None:
    import django
    from django.conf import settings

    settings.configure(INSTALLED_APPS=["channels"], **json.loads(sys.argv[1]))
    django.setup()
    from django.db import transaction

    from channels.wakeups import wake_on_commit

    with transaction.atomic():
        wake_on_commit(sys.argv[2], "default")
    print(*sorted(each.name for each in threading.enumerate()))


if __name__ == "__main__":
    main()
