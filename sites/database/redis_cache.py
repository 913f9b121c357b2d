"""The cache in Redis, which nothing needs: with Redis away each process goes on with a small cache of its own.

Away is also one that answers and does nothing for us: full (OOM), a replica (READONLY), without room on its disk
(MISCONF), or with another password (NOAUTH).

One client is kept instead of one made for each call, and there are lists that processes share. A circuit breaker bounds
what an absent Redis costs: after a failure it is not asked for some seconds, and every attempt has a time limit.
"""

import logging
import os
import threading
import time
from functools import cached_property, wraps
from typing import Any, cast

from django.core.cache.backends import redis
from django.core.cache.backends.locmem import LocMemCache
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

log = logging.getLogger(__name__)

PAUSE = 2.0  # seconds for which Redis is not asked after it did not answer
CONNECTING, ANSWERING = 0.25, 1.0  # seconds
MANY_KEYS = 2000  # said to end by one client, each with a minute in its name: what is older is never counted again
STORING = ("add", "set", "set_many")  # tell that Redis stores: incr reads before, and a full one still deletes


class Circuit:
    """Whether Redis is asked. After a failure not for `PAUSE` seconds; then one attempt decides.

    stores_nothing  whether it answered and refused to store: then only what it stores tells that it is back, for it
                    still answers to a GET
    """

    def __init__(self) -> None:
        self.open_until = 0.0
        self.stores_nothing = False
        self.lock = threading.Lock()

    @property
    def is_open(self) -> bool:
        """True while Redis is not to be asked. After a pause one caller is told False, and tries."""
        if not self.open_until:
            return False
        with self.lock:
            if time.monotonic() < self.open_until:
                return True
            self.open_until = time.monotonic() + PAUSE
            return False

    def is_open_to(self, *, writes: bool) -> bool:
        """Whether Redis is not to be asked by one who writes, or who only reads."""
        return (self.stores_nothing and not writes) or self.is_open

    def failed(self, error: Any) -> None:
        if not self.open_until:
            log.warning("Redis does not answer (%s): going on without it", error)
        self.stores_nothing = isinstance(error, ResponseError)  # NOAUTH is none to redis-py
        self.open_until = time.monotonic() + PAUSE

    def answered(self) -> bool:
        """Returns whether it had been away."""
        if not self.open_until:
            return False
        log.warning("Redis answers again")
        self.open_until, self.stores_nothing = 0.0, False
        return True


circuit = Circuit()  # of the process: the cache and the queues are one server


class Client(redis.RedisCacheClient):
    """Making a client of redis-py takes longer than Redis takes to answer; its connections are kept by its pool."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.asked: Any = None
        self.ending: set[str] = set()  # keys of which this client has said when they are forgotten
        self.asking = threading.Lock()  # threads of one context share a client

    @cached_property
    def connections(self) -> Any:
        return super().get_client(write=True)

    def get_client(self, key: Any = None, *, write: bool = False) -> Any:
        return self.connections  # there is one server

    def ask(self, *commands: tuple[Any, ...]) -> list[Any]:
        """What Redis answers to each of some commands, which go to it together. RedisError for the first it refuses.

        They have a connection of their own, kept for as long as this client: to find the pool's and to put it back
        takes three times as long as Redis to answer. A connection that broke since is opened once more.
        """
        with self.asking:
            if self.asked is None or self.asked.pid != os.getpid():  # a copy of the process that opened it has its own
                self.asked = self.connections.connection_pool.get_connection()
            asked = self.asked
            return asked.retry.call_with_retry(lambda: _answers(asked, commands), lambda _error: self._broken())

    def _broken(self) -> None:
        """Begin anew: Redis may have been started again, and know nothing of what it was told."""
        self.ending.clear()
        self.asked.disconnect()

    def count(self, keys: list[str], seconds: int) -> list[int]:
        """As `RedisCache.count`. When a key is forgotten is said once by each client, which counts it often."""
        begun = [key for key in keys if key not in self.ending]
        # It is said before it counts: whoever goes away in between leaves nothing for good.
        said = [("SET", key, 0, "EX", seconds, "NX") for key in begun]
        counted = self.ask(*said, *(("INCR", key) for key in keys))[len(said) :]
        lost = [key for key, number in zip(keys, counted, strict=True) if number == 1 and key not in begun]
        if lost:  # by a Redis that was emptied, or had no room for them
            self.ask(*(("EXPIRE", key, seconds) for key in lost))
        if len(self.ending) > MANY_KEYS:
            self.ending.clear()
        self.ending.update(begun)
        return counted


def _answers(connection: Any, commands: Any) -> list[Any]:
    answers: list[Any] = []
    try:
        connection.send_packed_command(connection.pack_commands(commands))
        for _command in commands:  # all are read, or the next to ask would be given what is left
            try:
                answers.append(connection.read_response())
            except ResponseError as error:
                answers.append(error)
    except BaseException:  # such as a task's time limit, wherever it ends what is done
        connection.disconnect()
        raise
    if refused := next((answer for answer in answers if isinstance(answer, ResponseError)), None):
        raise refused
    return answers


def _or_alone(name: Any) -> Any:
    """A method of the cache that does the same with the process's own where Redis does not answer."""
    method, writes = getattr(redis.RedisCache, name), name in STORING

    @wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not circuit.is_open_to(writes=writes):
            try:
                answer = method(self, *args, **kwargs)
            except RedisError as error:
                circuit.failed(error)
            else:
                self.answered()
                return answer
        return getattr(self.alone, name)(*args, **kwargs)

    return call


class RedisCache(redis.RedisCache):
    def __init__(self, server: Any, params: Any) -> None:
        limits = {"socket_connect_timeout": CONNECTING, "socket_timeout": ANSWERING, "retry": Retry(NoBackoff(), 1)}
        params = params | {"OPTIONS": limits | params.get("OPTIONS", {})}
        super().__init__(server, params)
        self._class = Client
        alone = {name: value for name, value in params.items() if name != "OPTIONS"}
        self.alone = LocMemCache(f"without {server}", alone | {"OPTIONS": {"MAX_ENTRIES": 5000}})

    @property
    def client(self) -> Client:
        return cast("Client", self._cache)

    def answered(self) -> None:
        """What was kept alone is forgotten once Redis is back, whatever was asked of it."""
        if circuit.answered():
            self.alone.clear()

    def push(self, key: Any, text: str) -> Any:
        """Put a text at the end of the list `key`; returns how long the list is then, or None with Redis away."""
        return self._of_list("RPUSH", key, text)

    def count(self, keys: Any, seconds: Any) -> list[int]:
        """Count one more under each of `keys`, which is forgotten after so many seconds; how many by now, of each."""
        if not circuit.is_open:
            try:
                counted = self.client.count([self.make_and_validate_key(key) for key in keys], seconds)
            except RedisError as error:
                circuit.failed(error)
            else:
                self.answered()
                return counted
        for key in keys:
            self.alone.add(key, 0, seconds)
        return [self.alone.incr(key) for key in keys]

    def take(self, key: Any, most: Any) -> list[Any]:
        """Take up to `most` texts from the beginning of the list `key`; none with Redis away."""
        return [text.decode() for text in self._of_list("LPOP", key, most) or ()]

    def _of_list(self, command: Any, key: Any, value: Any) -> Any:
        if circuit.is_open_to(writes=command == "RPUSH"):
            return None
        try:
            (answer,) = self.client.ask((command, self.make_and_validate_key(key), value))
        except RedisError as error:
            circuit.failed(error)
            return None
        self.answered()
        return answer

    def lengths(self, names: Any) -> dict[Any, Any] | None:
        """{name of a queue: messages that wait in it}; None with Redis away. To Celery each is a list of its name."""
        if circuit.is_open:
            return None
        try:
            with self.client.connections.pipeline(transaction=False) as asked:
                for name in names:
                    asked.llen(name)
                return dict(zip(names, asked.execute(), strict=True))
        except RedisError:
            return None

    def version_of_server(self) -> Any:
        """What Redis says it is; empty where it does not answer."""
        try:
            return self.client.connections.info("server").get("redis_version", "")
        except RedisError as error:
            circuit.failed(error)
        return ""

    def answers(self) -> bool:
        """Whether Redis stores now, asked whatever the circuit says: one that is full still answers a PING."""
        try:
            self.client.connections.set(self.make_and_validate_key("answers"), 1, ex=60)
        except RedisError:
            return False
        self.answered()
        return True


for _name in (
    "add", "get", "set", "touch", "delete", "get_many", "has_key", "incr", "set_many", "delete_many", "clear",
):  # fmt: skip
    setattr(RedisCache, _name, _or_alone(_name))
