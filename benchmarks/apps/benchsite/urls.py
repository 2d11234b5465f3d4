from django.urls import path

from .deltas import delta
from .views import page

urlpatterns = [path("page/", page), path("delta/<str:kind>/", delta)]
