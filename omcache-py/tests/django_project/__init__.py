"""A small Django project whose cache, sessions and pages are kept on memcached."""
