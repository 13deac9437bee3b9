"""What the Python clients share: one JSON line for each observation."""
import datetime
import decimal
import ipaddress
import json
import os

HOST, PORT, DATABASE = os.environ["PGHOST"], os.environ["PGPORT"], os.environ["PGDATABASE"]
USER, PASSWORD = os.environ["PGUSER"], os.environ["PGPASSWORD"]
CA = os.environ["PGSSLROOTCERT"]
ADMIN, ADMIN_PASSWORD = os.environ["E2E_ADMIN"], os.environ["E2E_ADMIN_PASSWORD"]
THROUGH_WEIR = os.environ.get("E2E_WEIR") == "1"


def observe(step, value):
    print(json.dumps({"step": step, "value": value}), flush=True)


def cell(v):
    """The cell as text that is the same for every client; None stays None."""
    if v is None:
        return None
    if isinstance(v, datetime.datetime):
        return v.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(v, datetime.date):
        return v.isoformat()
    if isinstance(v, (dict, list)):
        return json.dumps(v, sort_keys=True, separators=(",", ":"))
    if isinstance(v, (bytes, bytearray, memoryview)):
        return bytes(v).hex()
    if isinstance(v, (int, str, float, decimal.Decimal, ipaddress.IPv4Address, ipaddress.IPv4Interface)):
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
COPY = "COPY (SELECT id, email, phone, birth_date FROM customers WHERE id <= 30 ORDER BY id) TO STDOUT"
DENIED = "SELECT id FROM customers WHERE email = {0}"
READ_ONLY = "UPDATE customers SET segment = {0} WHERE id = {0}"
SLEEP = "SELECT pg_sleep(60)"
TABLE = """CREATE TEMPORARY TABLE written (id int, price numeric(10,2), day date, doc jsonb, address inet, word text,
           bytes bytea, at timestamptz)"""
INSERT = "INSERT INTO written VALUES ({0}, {0}, {0}, {0}, {0}, {0}, {0}, {0})"
WRITTEN = "SELECT id, price, day, doc, address, word, bytes, at FROM written ORDER BY id"
