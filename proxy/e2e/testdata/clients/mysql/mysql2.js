// mysql2: queries with parameters in the text, prepared statements, a stream, a pool, several statements, change of user.
'use strict'
const fs = require('fs')
const mysql = require(process.env.E2E_NODE_MODULES + '/mysql2/promise')

const env = process.env
const observe = (step, value) => console.log(JSON.stringify({ step, value }))
const options = (user = env.E2E_USER, password = env.E2E_PASSWORD) => ({
  host: env.E2E_HOST, port: +env.E2E_PORT, database: env.E2E_DATABASE, user, password, charset: 'utf8mb4', timezone: 'Z',
  dateStrings: ['DATE'], rowsAsArray: true, multipleStatements: true,
  ssl: { ca: fs.readFileSync(env.E2E_CA, 'utf8') }
})

function cell (v) {
  if (v === null) return null
  if (Buffer.isBuffer(v)) return v.toString('hex')
  if (v instanceof Date) return v.toISOString().replace('T', ' ').replace(/\.(000)?/, m => m === '.000' ? '' : '.').replace('Z', '')
  return typeof v === 'object' ? JSON.stringify(v) : String(v)
}
const rows = all => all.map(row => row.map(cell))
const errno = (c, ...q) => c.execute(...q).then(() => [0, 'no error'], e => [e.errno, e.message])

const people = `SELECT id, first_name, email, phone, birth_date, street, country, preferences, last_login_ip, created_at
  FROM customers WHERE id BETWEEN ? AND ? ORDER BY id`
const payment = 'SELECT id, card_number, cvv, iban, amount, paid_at FROM payments WHERE id = ?'
const contact = 'SELECT id, email FROM customers WHERE id = ?'
const denied = ['SELECT id FROM customers WHERE email = ?', ['david.huber1@example.org']]
const salaries = 'SELECT id, full_name, ssn, salary, birth_date, hired_on FROM hr.employees WHERE id <= ? ORDER BY id'

async function read (c) {
  const [text] = await c.query(people, [15, 24])
  observe('people', rows(text))
  observe('types', text[0].map(v => v === null ? 'null' : v.constructor.name))
  const [binary, fields] = await c.execute(people, [15, 24])
  observe('people', rows(binary))
  observe('described', fields.map(f => [f.name, f.columnType, f.table, f.schema].join(' ')))
  const payments = []
  for (const id of [3, 4]) payments.push(...rows((await c.execute(payment, [id]))[0]))
  observe('payments', payments)
  const [paid] = await c.execute(salaries, [5])
  observe('salaries', rows(paid))
  observe('salary_sum', paid.reduce((sum, r) => sum + Number(r[3]), 0).toFixed(2))
  const all = []
  await new Promise((resolve, reject) => c.connection.query('SELECT id, email FROM customers ORDER BY id')
    .on('result', row => all.push(row)).on('error', reject).on('end', resolve))
  observe('cursor', rows(all))
  const [several] = await c.query('SELECT 1; SELECT id, email FROM customers WHERE id = 1')
  observe('several', rows(several[1]))
  const pool = mysql.createPool({ ...options(), connectionLimit: 3 })
  const results = await Promise.all([1, 2, 3].map(id => pool.execute(contact, [id])))
  observe('pipeline', results.flatMap(r => rows(r[0])))
  await pool.end()
}

async function write (admin) {
  await admin.query('CREATE TEMPORARY TABLE written (id int, price decimal(10,2), day date, doc json, word varchar(40), bytes varbinary(10), at datetime(3))')
  const insert = 'INSERT INTO written VALUES (?, ?, ?, ?, ?, ?, ?)'
  await admin.execute(insert, [1, '12.50', '2020-02-29', '{"a": [1, null]}', "grüße 'x' \\", Buffer.from([0, 255]), new Date('2024-05-06T07:08:09.123Z')])
  await admin.execute(insert, [2, null, null, null, null, null, null])
  observe('written', rows((await admin.execute('SELECT * FROM written ORDER BY id'))[0]))
}

async function refused (c) {
  const [code, message] = await errno(c, ...denied)
  observe('denied', code)
  observe('denied_message', message)
  observe('alive', rows((await c.execute('SELECT 1'))[0]))
  observe('read_only', (await errno(c, 'UPDATE customers SET segment = ? WHERE id = ?', ['x', 1]))[0])
  await c.beginTransaction()
  await errno(c, ...denied)
  observe('in_transaction', rows((await c.execute(contact, [1]))[0]))
  await c.rollback()
  await c.changeUser({ user: env.E2E_USER, password: env.E2E_PASSWORD, database: env.E2E_DATABASE })
  observe('in_transaction', rows((await c.execute(contact, [1]))[0]))
}

async function cancel (admin) {
  const began = Date.now()
  const running = errno(admin, 'SELECT sleep(60) FROM products')
  await new Promise(resolve => setTimeout(resolve, 500))
  const other = await mysql.createConnection(options(env.E2E_ADMIN, env.E2E_ADMIN_PASSWORD))
  await other.query(`KILL QUERY ${admin.threadId}`)
  await other.end()
  observe('cancelled', (await running)[0])
  observe('cancelled_soon', Date.now() - began < 20000)
  observe('alive_after_cancel', rows((await admin.query('SELECT 1'))[0]))
}

async function main () {
  const c = await mysql.createConnection(options())
  const admin = await mysql.createConnection(options(env.E2E_ADMIN, env.E2E_ADMIN_PASSWORD))
  await read(c)
  await write(admin)
  if (env.E2E_WEIR === '1') {
    await refused(c)
    await cancel(admin)
    observe('wrong_password', await mysql.createConnection(options(env.E2E_USER, 'wrong')).then(() => 'accepted', e => e.errno))
  }
  await c.end()
  await admin.end()
}

main().catch(e => { console.error(e); process.exit(1) })
