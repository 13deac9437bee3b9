"""psycopg 3: server-side parameters, prepared and binary, server cursors, COPY in text and binary, pipelines."""
import datetime
import decimal
import threading
import time

import psycopg
from observe import *
from psycopg.types.json import Jsonb


def connect(user=USER, password=PASSWORD):
    return psycopg.connect(host=HOST, port=PORT, dbname=DATABASE, user=user, password=password,
                           sslmode="verify-full", sslrootcert=CA, autocommit=True)


def sqlstate(conn, sql, args=None):
    try:
        conn.execute(sql, args)
    except psycopg.Error as e:
        return e.sqlstate, str(e)
    return "", "no error"


def read(conn):
    people = conn.execute(PEOPLE.format("%s"), (15, 24)).fetchall()
    observe("people", rows(people))
    observe("types", types(people[0]))
    binary = conn.execute(PEOPLE.format("%s"), (15, 24), binary=True).fetchall()
    observe("people", rows(binary))
    observe("binary_types", types(binary[0]))
    with conn.cursor(binary=True) as cur:
        payments = []
        for i in (3, 4):
            payments += cur.execute(PAYMENT.format("%s"), (i,), prepare=True).fetchall()
        observe("payments", rows(payments))
    salaries = conn.execute(SALARIES.format("%s"), (5,), prepare=True).fetchall()
    observe("salaries", rows(salaries))
    observe("salary_sum", cell(sum((r[3] for r in salaries), decimal.Decimal(0))))
    for binary in False, True:
        with conn.transaction(), conn.cursor(name="everybody", binary=binary) as cur:
            cur.itersize = 100
            cur.execute(EVERYBODY)
            observe("cursor", rows(cur))
    copy(conn)
    with conn.pipeline():
        cursors = [conn.execute(CONTACT.format("%s"), (i,)) for i in (1, 2, 3)]
        observe("pipeline", rows([c.fetchone() for c in cursors]))


def copy(conn):
    with conn.cursor() as cur:
        with cur.copy(COPY) as out:
            out.set_types(["int4", "text", "text", "date"])
            observe("copy", rows(out.rows()))
        with cur.copy(COPY + " (FORMAT binary)") as out:
            out.set_types(["int4", "text", "text", "date"])
            observe("copy", rows(out.rows()))


def write(admin):
    admin.execute(TABLE)
    admin.execute(INSERT.format("%s"), (1, decimal.Decimal("12.50"), datetime.date(2020, 2, 29), Jsonb({"a": [1, None]}),
                  "10.1.2.3", "grüße 'x' \\", b"\0\xff", datetime.datetime(2024, 5, 6, 7, 8, 9, tzinfo=datetime.timezone.utc)))
    admin.execute(INSERT.format("%s"), (2,) + (None,) * 7)
    with admin.cursor() as cur, cur.copy("COPY written (id, word) FROM STDIN") as into:
        into.write_row((3, "three"))
        into.write_row((4, None))
    observe("written", rows(admin.execute(WRITTEN).fetchall()))
    told = []
    admin.add_notify_handler(lambda n: told.append([n.channel, n.payload]))
    admin.execute("LISTEN told")
    admin.execute("SELECT pg_notify('told', 'news')")
    admin.execute("SELECT 1")
    observe("notified", told)


def refused(conn):
    code, message = sqlstate(conn, DENIED.format("%s"), ("david.huber1@example.org",))
    observe("denied", code)
    observe("denied_message", message)
    observe("alive", rows(conn.execute("SELECT 1").fetchall()))
    observe("read_only", sqlstate(conn, "UPDATE customers SET segment = %s WHERE id = %s", ("x", 1))[0])
    conn.autocommit = False
    conn.execute("SELECT 1")
    sqlstate(conn, DENIED.format("%s"), ("x",))
    observe("aborted", sqlstate(conn, "SELECT 1")[0])
    conn.rollback()
    observe("rolled_back", rows(conn.execute(CONTACT.format("%s"), (1,)).fetchall()))
    try:
        with conn.transaction():  # a savepoint
            conn.execute(DENIED.format("%s"), ("x",))
    except psycopg.errors.InsufficientPrivilege:
        observe("savepoint", rows(conn.execute(CONTACT.format("%s"), (2,)).fetchall()))
    conn.commit()
    conn.autocommit = True
    pipeline_refused(conn)


def pipeline_refused(conn):
    try:
        with conn.pipeline():
            first = conn.execute(CONTACT.format("%s"), (1,))
            conn.execute(DENIED.format("%s"), ("x",))
            conn.execute("SELECT 2")
            first.fetchone()
        observe("pipeline_denied", "")
    except psycopg.Error as e:
        observe("pipeline_denied", e.sqlstate)
    observe("alive", rows(conn.execute("SELECT 1").fetchall()))


def cancel(admin):
    timer = threading.Timer(0.5, admin.cancel)
    timer.start()
    began = time.monotonic()
    observe("cancelled", sqlstate(admin, SLEEP)[0])
    observe("cancelled_soon", time.monotonic() - began < 20)
    timer.join()
    observe("alive_after_cancel", rows(admin.execute("SELECT 1").fetchall()))


def wrong_password():
    try:
        connect(password="wrong").close()
        observe("wrong_password", "accepted")
    except psycopg.OperationalError as e:
        observe("wrong_password", str(e))


conn, admin = connect(), connect(ADMIN, ADMIN_PASSWORD)
observe("tls", conn.pgconn.ssl_in_use)
read(conn)
write(admin)
if THROUGH_WEIR:
    refused(conn)
    cancel(admin)
    wrong_password()
conn.close()
admin.close()
