#!/bin/sh
# A daily job at 02:30 in Berlin, in the two nights in which the clock changes: four libraries, four answers. On 29 March there is no
# 02:30: croniter 7.0.0 and cronsim 2.8 run it at 03:00, celery 5.7.0 and APScheduler 3.11.3 at 03:30. On 25 October there are two:
# croniter and APScheduler run it twice, cronsim and celery once. celery also passes over the whole second hour for jobs that
# run every half hour, which then rest for ninety minutes; the others do not.
#
# Seen, (the first runs of the job in each night, how many half-hourly runs between 01:00 and 04:00 on 25 October):
#   {'croniter': ('03:00+0200', ['02:30+0200', '02:30+0100'], 8), 'cronsim': ('03:00+0200', ['02:30+0200'], 8),
#    'apscheduler': ('03:30+0200', ['02:30+0200', '02:30+0100'], 8), 'celery': ('03:30+0200', ['02:30+0200'], 6)}
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q croniter==7.0.0 cronsim==2.8 apscheduler==3.11.3 celery==5.7.0 tzdata 2>/dev/null
cd "$folder"
"$folder/venv/bin/python" - <<'PROBE'
import sys
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger
from celery import Celery
from celery.schedules import crontab
from croniter import croniter
from cronsim import CronSim

BERLIN = ZoneInfo("Europe/Berlin")
app = Celery()
app.conf.timezone = "Europe/Berlin"


def of_croniter(words, start):
    runs = croniter(words, start)
    while True:
        yield runs.get_next(datetime)


def of_apscheduler(words, start):
    trigger, last, now = CronTrigger.from_crontab(words, timezone=BERLIN), None, start
    while True:
        last = trigger.get_next_fire_time(last, now)
        yield last
        now = (last.astimezone(timezone.utc) + timedelta(seconds=1)).astimezone(BERLIN)


def of_celery(words, start):
    minute, hour = words.split()[:2]
    now = start
    schedule = crontab(minute, hour, nowfun=lambda: now, app=app)
    while True:
        now = (now.astimezone(timezone.utc) + schedule.remaining_estimate(now)).astimezone(BERLIN)
        yield now


LIBRARIES = {"croniter": of_croniter, "cronsim": CronSim, "apscheduler": of_apscheduler, "celery": of_celery}


def on(runs, day):
    """Return what runs on the day, as times of the clock."""
    found = []
    for run in runs:
        there = run.astimezone(timezone.utc).astimezone(BERLIN)
        if there.date() > day.date():
            return found
        found.append(f"{there:%H:%M%z}")


spring, autumn = datetime(2026, 3, 29, tzinfo=BERLIN), datetime(2026, 10, 25, tzinfo=BERLIN)
seen = {
    name: (on(runs("30 2 * * *", spring), spring)[0], on(runs("30 2 * * *", autumn), autumn), len(on(runs("*/30 1-3 * * *", autumn), autumn)))
    for name, runs in LIBRARIES.items()
}
expected = {
    "croniter": ("03:00+0200", ["02:30+0200", "02:30+0100"], 8),
    "cronsim": ("03:00+0200", ["02:30+0200"], 8),
    "apscheduler": ("03:30+0200", ["02:30+0200", "02:30+0100"], 8),
    "celery": ("03:30+0200", ["02:30+0200"], 6),
}
print("saw     ", seen)
print("expected", expected)
sys.exit(seen != expected)
PROBE
