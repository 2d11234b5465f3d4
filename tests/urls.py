"""No pages by default; tests that want some override ROOT_URLCONF."""

urlpatterns: list[object] = []
