"""The servers of the Redis tests, for the user service."""

from tests.redis.conftest import channels_dsn, dsn, single, single_server

__all__ = ["channels_dsn", "dsn", "single", "single_server"]
