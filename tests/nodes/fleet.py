"""A large inventory made at once, for tests of lists: nothing in it was ever looked at."""

from __future__ import annotations

from typing import Any

from django.db import connection, models
from django.utils import timezone

from nodes.choices import ServerState
from nodes.models import Adapter, Container, ContainerInterface, PhysicalServer, ServerGroup

SERVERS, CONTAINERS = 1000, 50


def make_fleet(
    servers: int = SERVERS, containers: int = CONTAINERS, interfaces: int = 1
) -> tuple[ServerGroup, ServerGroup]:
    """Two top groups with ten groups in each and the servers dealt out evenly; returns the top groups.

    Server node0007 has the NICs eth0 and eth1 and the running containers 1000, 1001, ..., named
    web-<server key>-0, ..., with one bridged interface each (or `interfaces`). All MACs and addresses differ.
    """
    tops = ServerGroup.objects.create(name="East"), ServerGroup.objects.create(name="West")
    groups = [ServerGroup.objects.create(name=f"Rack {n}", parent=tops[n % 2]) for n in range(20)]
    PhysicalServer.objects.bulk_create(
        PhysicalServer(
            name=f"node{n:04}", group=groups[n % 20], address=f"10.1.{n // 250}.{n % 250}",
            state=ServerState.OK, containers_count=containers, running_count=containers, adapters_count=2,
        )
        for n in range(servers)
    )  # fmt: skip
    multiply(
        Adapter,
        PhysicalServer,
        2,
        server_id="id",
        name="'eth' || n",
        mac=_mac("02:00:00", "id * 2 + n"),
    )
    multiply(
        Container, PhysicalServer, containers,
        server_id="id", container_ctid="1000 + n", name="'web-' || id || '-' || n", status="'running'",
    )  # fmt: skip
    multiply(
        ContainerInterface, Container, interfaces,
        container_id="id", ifname="'eth' || n", mode="'bridged'",
        host_ifname="'veth' || container_ctid || '.' || n",
        mac=_mac("00:18:51", f"id * {interfaces} + n"),
        addresses_text=f"'10.' || {_octets(f'id * {interfaces} + n')} || '/8'",
    )  # fmt: skip
    _analyze()
    return tops


def _analyze() -> None:
    """What PostgreSQL does by itself within minutes.

    Tests take back what they insert. Where it has noticed that the tables are empty, it plans for empty ones.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")


def multiply(model: type[models.Model], source: type[models.Model], times: int, **columns: str) -> None:
    """Insert `times` rows of the model for each row of another one, in the database itself.

    `columns` are SQL expressions over the source's columns and `n`, which counts from 0; columns that are not
    named get their field's default. A hundred thousand rows made by Python would take half a minute.
    """
    names: list[str] = []
    expressions: list[str] = []
    values: list[Any] = []
    for field in model._meta.concrete_fields:
        if field.primary_key:
            continue
        names.append(connection.ops.quote_name(field.column))
        if field.column in columns:
            expressions.append(columns[field.column])
        else:
            default = timezone.now() if getattr(field, "auto_now_add", False) else field.get_default()
            expressions.append("%s")
            values.append(field.get_db_prep_save(default, connection))
    sql = (
        f"WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < {times}) "
        f"INSERT INTO {model._meta.db_table} ({', '.join(names)}) "
        f"SELECT {', '.join(expressions)} FROM {source._meta.db_table} CROSS JOIN numbers"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


def _mac(maker: str, number: str) -> str:
    """SQL for a MAC address of that maker: another one for each number, drawn as vzctl's are."""
    drawn = f"(({number}) * 10368889 % 16777216)"  # odd: no two numbers below 2 ** 24 give the same
    byte = "lpad(to_hex({}), 2, '0')" if connection.vendor == "postgresql" else "printf('%02x', {})"
    pairs = (byte.format(f"{drawn} / {256**power} % 256") for power in (2, 1, 0))
    return f"'{maker}:' || " + " || ':' || ".join(pairs).replace("%", "%%")


def _octets(number: str) -> str:
    """SQL for a number as the last three parts of an IPv4 address."""
    # SQLite binds || tighter than arithmetic.
    return " || '.' || ".join(f"(({number}) / {250**power} % 250)" for power in (2, 1, 0)).replace("%", "%%")
