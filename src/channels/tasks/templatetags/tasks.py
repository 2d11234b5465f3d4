"""``{% load tasks %}``: the bar of a task."""

from __future__ import annotations

from urllib.parse import urlencode

from django import template
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from channels.tasks.definition.contract import TaskResult
from channels.tasks.progress.reports import Report
from channels.tasks.progress.topic import TaskProgress

register = template.Library()


@register.simple_tag
def task_progress(result: TaskResult) -> SafeString:
    """Show how far a task is, and keep it up to date; ``{% topics_client %}`` comes before it.

    Args:
        result: of a task that was enqueued with ``viewer=``: that user sees it.
    """
    return format_html(
        '<task-progress topic="{}" data-status="{}">{}</task-progress>'
        '<script type="module" src="{}"></script>',
        TaskProgress(id=result.id),
        result.status,
        _bar(result),
        static("channels/tasks.js"),
    )


@register.simple_tag
def task_progress_htmx(result: TaskResult) -> SafeString:
    """Show how far a task is, for htmx with its extension ``hx-sse``; see :func:`task_progress`."""
    address = f"{reverse('topics:events')}?{urlencode({'topic': TaskProgress(id=result.id)})}"
    return format_html('<div hx-sse:connect="{}" hx-sse:close="close">{}</div>', address, _bar(result))


def _bar(result: TaskResult) -> str:
    return render_to_string(TaskProgress.template, {"data": Report.of(result)})
