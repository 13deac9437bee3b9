"""What the Python clients share: one JSON line for each observation."""
import datetime
import decimal
import json
import os
import threading
import time

HOST, PORT, DATABASE = os.environ["E2E_HOST"], int(os.environ["E2E_PORT"]), os.environ["E2E_DATABASE"]
USER, PASSWORD = os.environ["E2E_USER"], os.environ["E2E_PASSWORD"]
CA = os.environ["E2E_CA"]
ADMIN, ADMIN_PASSWORD = os.environ["E2E_ADMIN"], os.environ["E2E_ADMIN_PASSWORD"]
THROUGH_WEIR = os.environ.get("E2E_WEIR") == "1"


def observe(step, value):
    print(json.dumps({"step": step, "value": value}), flush=True)


def cell(v):
    """The cell as text that is the same for every client; None stays None."""
    if v is None:
        return None
    if isinstance(v, datetime.datetime):
        return v.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(v, datetime.date):
        return v.isoformat()
    if isinstance(v, (bytes, bytearray)):
        return bytes(v).hex()
    if isinstance(v, (int, str, float, decimal.Decimal)):
        return str(v)
    raise TypeError(type(v))


def rows(result):
    return [[cell(v) for v in row] for row in result]


def types(row):
    return [type(v).__name__ for v in row]


PEOPLE = """SELECT id, first_name, email, phone, birth_date, street, country, preferences, last_login_ip, created_at
            FROM customers WHERE id BETWEEN {0} AND {0} ORDER BY id"""
PAYMENT = "SELECT id, card_number, cvv, iban, amount, paid_at FROM payments WHERE id = {0}"
SALARIES = "SELECT id, full_name, ssn, salary, birth_date, hired_on FROM hr.employees WHERE id <= {0} ORDER BY id"
EVERYBODY = "SELECT id, email FROM customers ORDER BY id"
CONTACT = "SELECT id, email FROM customers WHERE id = {0}"
DENIED = "SELECT id FROM customers WHERE email = {0}"
READ_ONLY = "UPDATE customers SET segment = {0} WHERE id = {0}"
SLEEP = "SELECT sleep(60)"
TABLE = """CREATE TEMPORARY TABLE written (id int, price decimal(10,2), day date, doc json, word varchar(40), bytes varbinary(10),
           at datetime(6))"""
INSERT = "INSERT INTO written VALUES ({0}, {0}, {0}, {0}, {0}, {0}, {0})"
WRITTEN = "SELECT id, price, day, doc, word, bytes, at FROM written ORDER BY id"
ROW = (1, decimal.Decimal("12.50"), datetime.date(2020, 2, 29), '{"a": [1, null]}', "grüße 'x' \\", b"\0\xff",
       datetime.datetime(2024, 5, 6, 7, 8, 9, 123456))
EMPTY = (2, None, None, None, None, None, None)


class DBAPI:
    """A client of Python's DB-API (PEP 249). Its module gives connect(user, password), the mark of a parameter, how to
    stream, and the module's Error."""

    def __init__(self, connect, mark, stream, error):
        self.connect, self.mark, self.stream, self.error = connect, mark, stream, error

    def fetch(self, conn, sql, *args):
        cur = conn.cursor()
        try:
            cur.execute(sql, args)
            return cur.fetchall()
        finally:
            cur.close()

    def errno(self, conn, sql, *args):
        try:
            self.fetch(conn, sql, *args)
        except self.error as e:
            return e.args[0], str(e)
        return 0, "no error"

    def read(self, conn):
        people = self.fetch(conn, PEOPLE.format(self.mark), 15, 24)
        observe("people", rows(people))
        observe("types", types(people[0]))
        payment = PAYMENT.format(self.mark)
        observe("payments", rows(list(self.fetch(conn, payment, 3)) + list(self.fetch(conn, payment, 4))))
        salaries = self.fetch(conn, SALARIES.format(self.mark), 5)
        observe("salaries", rows(salaries))
        observe("salary_sum", cell(sum((r[3] for r in salaries), decimal.Decimal(0))))
        observe("cursor", rows(self.stream(conn, EVERYBODY)))

    def write(self, admin):
        cur = admin.cursor()
        cur.execute(TABLE)
        cur.executemany(INSERT.format(self.mark), [ROW, EMPTY])
        cur.close()
        observe("written", rows(self.fetch(admin, WRITTEN)))

    def refused(self, conn):
        code, message = self.errno(conn, DENIED.format(self.mark), "david.huber1@example.org")
        observe("denied", code)
        observe("denied_message", message)
        observe("alive", rows(self.fetch(conn, "SELECT 1")))
        observe("read_only", self.errno(conn, READ_ONLY.format(self.mark), "x", 1)[0])
        conn.begin()
        self.errno(conn, DENIED.format(self.mark), "x")
        observe("in_transaction", rows(self.fetch(conn, CONTACT.format(self.mark), 1)))
        conn.rollback()

    def cancel(self, admin):
        """KILL QUERY by the number of the greeting, from a second connection."""
        def kill():
            other = self.connect(ADMIN, ADMIN_PASSWORD)
            other.cursor().execute("KILL QUERY %d" % admin.thread_id())
            other.close()
        timer = threading.Timer(0.5, kill)
        timer.start()
        began = time.monotonic()
        # MariaDB's SLEEP gives 1 where it is interrupted alone in a SELECT.
        code = self.errno(admin, "SELECT sleep(60) FROM products")[0]
        observe("cancelled", code)
        observe("cancelled_soon", time.monotonic() - began < 20)
        timer.join()
        observe("alive_after_cancel", rows(self.fetch(admin, "SELECT 1")))

    def wrong_password(self):
        try:
            self.connect(USER, "wrong").close()
            observe("wrong_password", "accepted")
        except self.error as e:
            observe("wrong_password", e.args[0])

    def main(self):
        conn, admin = self.connect(USER, PASSWORD), self.connect(ADMIN, ADMIN_PASSWORD)
        self.read(conn)
        self.write(admin)
        if THROUGH_WEIR:
            self.refused(conn)
            self.cancel(admin)
            self.wrong_password()
        conn.close()
        admin.close()
