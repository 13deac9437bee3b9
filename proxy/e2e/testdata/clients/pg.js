// node-postgres: parametrised, named (prepared) and binary queries, SQL cursors, a pool, notifications, cancel.
'use strict'
const fs = require('fs')
const { Client, Pool } = require(process.env.E2E_NODE_MODULES + '/pg')

const env = process.env
const observe = (step, value) => console.log(JSON.stringify({ step, value }))
const options = (user = env.PGUSER, password = env.PGPASSWORD) => ({
  host: env.PGHOST, port: +env.PGPORT, database: env.PGDATABASE, user, password,
  ssl: { ca: fs.readFileSync(env.PGSSLROOTCERT, 'utf8') }, // verifies chain and name
})

const sorted = v => Array.isArray(v) ? v.map(sorted)
  : v && typeof v === 'object' ? Object.fromEntries(Object.keys(v).sort().map(k => [k, sorted(v[k])])) : v
const pad = n => String(n).padStart(2, '0')
// Dates without a time come as local midnight, with one as an instant; the column's type tells.
function cell (v, field) {
  if (v === null) return null
  if (Buffer.isBuffer(v)) return v.toString('hex')
  if (v instanceof Date) {
    return field.dataTypeID === 1082 ? `${v.getFullYear()}-${pad(v.getMonth() + 1)}-${pad(v.getDate())}` : v.toISOString().replace('.000Z', 'Z')
  }
  return typeof v === 'object' ? JSON.stringify(sorted(v)) : String(v)
}
const rows = r => r.rows.map(row => row.map((v, i) => cell(v, r.fields[i])))
const arrays = (text, values = [], more = {}) => ({ text, values, rowMode: 'array', ...more })
const sqlstate = async (c, q) => c.query(q).then(() => ['', 'no error'], e => [e.code, e.message])

const people = `SELECT id, first_name, email, phone, birth_date, street, country, preferences, last_login_ip, created_at
  FROM customers WHERE id BETWEEN $1 AND $2 ORDER BY id`
const payment = 'SELECT id, card_number, cvv, iban, amount, paid_at FROM payments WHERE id = $1'
const contact = 'SELECT id, email FROM customers WHERE id = $1'
const denied = arrays('SELECT id FROM customers WHERE email = $1', ['david.huber1@example.org'])

async function read (c) {
  const r = await c.query(arrays(people, [15, 24]))
  observe('people', rows(r))
  observe('types', r.rows[0].map(v => v.constructor.name))
  const payments = []
  for (const id of [3, 4]) payments.push(...rows(await c.query(arrays(payment, [id], { name: 'payment' }))))
  observe('payments', payments)
  const salaries = await c.query(arrays('SELECT id, full_name, ssn, salary, birth_date, hired_on FROM hr.employees WHERE id <= $1 ORDER BY id', [5]))
  observe('salaries', rows(salaries))
  observe('salary_sum', salaries.rows.reduce((sum, r) => sum + Number(r[3]), 0).toFixed(2))
  observe('binary', rows(await c.query(arrays('SELECT country, email FROM customers WHERE id = $1', [1], { binary: true }))))
  await c.query('BEGIN')
  await c.query('DECLARE everybody CURSOR FOR SELECT id, email FROM customers ORDER BY id')
  const all = []
  for (;;) {
    const part = await c.query(arrays('FETCH 100 FROM everybody'))
    if (part.rows.length === 0) break
    all.push(...rows(part))
  }
  await c.query('COMMIT')
  observe('cursor', all)
  const pool = new Pool({ ...options(), max: 3 })
  const results = await Promise.all([1, 2, 3].map(id => pool.query(arrays(contact, [id]))))
  observe('pipeline', results.flatMap(rows))
  await pool.end()
}

async function write (admin) {
  await admin.query(`CREATE TEMPORARY TABLE written (id int, price numeric(10,2), day date, doc jsonb, address inet, word text,
    bytes bytea, at timestamptz)`)
  const insert = { name: 'insert', text: 'INSERT INTO written VALUES ($1, $2, $3, $4, $5, $6, $7, $8)' }
  await admin.query({ ...insert, values: [1, '12.50', '2020-02-29', { a: [1, null] }, '10.1.2.3', "grüße 'x' \\", Buffer.from([0, 255]), new Date('2024-05-06T07:08:09Z')] })
  await admin.query({ ...insert, values: [2, null, null, null, null, null, null, null] })
  observe('written', rows(await admin.query(arrays('SELECT * FROM written ORDER BY id'))))
  const told = new Promise(resolve => admin.once('notification', resolve))
  await admin.query('LISTEN told')
  await admin.query("NOTIFY told, 'news'")
  const n = await told
  observe('notified', [[n.channel, n.payload]])
}

async function refused (c) {
  const [code, message] = await sqlstate(c, denied)
  observe('denied', code)
  observe('denied_message', message)
  observe('alive', rows(await c.query(arrays('SELECT 1'))))
  observe('read_only', (await sqlstate(c, { text: 'UPDATE customers SET segment = $1 WHERE id = $2', values: ['x', 1] }))[0])
  await c.query('BEGIN')
  await sqlstate(c, denied)
  observe('aborted', (await sqlstate(c, 'SELECT 1'))[0])
  await c.query('ROLLBACK')
  observe('rolled_back', rows(await c.query(arrays(contact, [1]))))
  await c.query('BEGIN')
  await c.query('SAVEPOINT s')
  await sqlstate(c, denied)
  await c.query('ROLLBACK TO SAVEPOINT s')
  observe('savepoint', rows(await c.query(arrays(contact, [2]))))
  await c.query('COMMIT')
}

// The client has no public cancel; this is the request that its native
// ancestor sends, on a TLS connection of its own.
async function cancel (admin) {
  const began = Date.now()
  const running = sqlstate(admin, 'SELECT pg_sleep(60)')
  await new Promise(resolve => setTimeout(resolve, 500))
  const other = new Client(options(env.E2E_ADMIN, env.E2E_ADMIN_PASSWORD))
  other.connection.once('error', () => {})
  other.cancel(admin, admin.activeQuery || admin._activeQuery)
  observe('cancelled', (await running)[0])
  observe('cancelled_soon', Date.now() - began < 20000)
  observe('alive_after_cancel', rows(await admin.query(arrays('SELECT 1'))))
}

async function wrongPassword () {
  const c = new Client(options(env.PGUSER, 'wrong'))
  observe('wrong_password', await c.connect().then(() => 'accepted', e => e.code))
}

async function main () {
  const c = new Client(options())
  const admin = new Client(options(env.E2E_ADMIN, env.E2E_ADMIN_PASSWORD))
  await c.connect()
  await admin.connect()
  observe('tls', c.connection.stream.encrypted === true && c.connection.stream.authorized === true)
  await read(c)
  await write(admin)
  if (env.E2E_WEIR === '1') {
    await refused(c)
    await cancel(admin)
    await wrongPassword()
  }
  await c.end()
  await admin.end()
}

main().catch(e => { console.error(e); process.exit(1) })
