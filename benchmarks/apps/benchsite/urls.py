from django.urls import path

from .deltas import delta
from .live import prepare, told
from .views import commits, page

urlpatterns = [
    path("page/", page),
    path("delta/<str:kind>/", delta),
    path("live/", prepare),
    path("live/<str:kind>/", told),
    path("commits/", commits),
    path("commits/publish/", commits, {"publishing": True}),
]
