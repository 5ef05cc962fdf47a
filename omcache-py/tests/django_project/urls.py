"""Where the pages are."""

from django.urls import path

from . import views

urlpatterns = [path("cached", views.cached), path("visits", views.visits), path("counted", views.counted)]
