"""Tasks that run again and again: by an interval, or by a line of cron. Every worker keeps the schedule."""

from channels.tasks.schedule.schedules import cron, every

__all__ = ["cron", "every"]
