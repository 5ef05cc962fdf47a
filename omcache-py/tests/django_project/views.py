"""Pages: one that is cached, one that counts visits in the session, one that is asynchronous."""

from __future__ import annotations

import itertools

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import cache_page

_made = itertools.count(1)


@cache_page(60)
def cached(request: HttpRequest) -> HttpResponse:
    """A page that tells how often it was made."""
    return HttpResponse(f"made {next(_made)}")


def visits(request: HttpRequest) -> HttpResponse:
    """How often this visitor was here."""
    request.session["visits"] = request.session.get("visits", 0) + 1
    return HttpResponse(str(request.session["visits"]))


async def counted(request: HttpRequest) -> HttpResponse:
    """How often anybody was here."""
    await cache.aadd("counted", 0)
    return HttpResponse(str(await cache.aincr("counted")))
