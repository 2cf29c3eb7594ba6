"""The servers the tests stand on are real ones, and leave nothing behind."""

import socket
from urllib.parse import urlsplit

import psycopg
import pytest
import redis

from tests.servers import main, postgres_server, redis_server


def test_redis_answers_and_keeps_a_value():
    with redis_server() as url, redis.Redis.from_url(url) as client:
        client.set("latent", "3450")
        assert client.get("latent") == b"3450"


def test_redis_is_gone_afterwards():
    with redis_server() as url:
        port = urlsplit(url).port
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_postgres_answers_and_is_gone_afterwards():
    with postgres_server() as url:
        with psycopg.connect(url) as connection:
            rows = connection.execute("select 1 + 1").fetchall()
        assert rows == [(2,)]
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)


def test_the_command_gets_the_servers_url_and_its_exit_code_is_kept():
    script = 'case "$TEST_DATABASE_URL" in postgres://*) exit 7;; esac'
    assert main(["postgres", "--", "sh", "-c", script]) == 7
