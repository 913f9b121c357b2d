"""The cache in Redis, with one client kept instead of one made for each call, and lists that processes share."""

from functools import cached_property

from django.core.cache.backends import redis


class Client(redis.RedisCacheClient):
    """Making a client of redis-py takes longer than Redis takes to answer; its connections are kept by its pool."""

    @cached_property
    def kept(self):
        return super().get_client(write=True)

    def get_client(self, key=None, *, write=False):
        return self.kept  # there is one server


class RedisCache(redis.RedisCache):
    def __init__(self, server, params):
        super().__init__(server, params)
        self._class = Client

    def push(self, key, text):
        """Put a text at the end of the list `key`; returns how long the list is then."""
        return self._cache.kept.rpush(self.make_and_validate_key(key), text)

    def take(self, key, most):
        """Take up to `most` texts from the beginning of the list `key`."""
        found = self._cache.kept.lpop(self.make_and_validate_key(key), most)
        return [text.decode() for text in found or ()]
