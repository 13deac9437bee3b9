package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	myclient "github.com/go-mysql-org/go-mysql/client"
	gomysql "github.com/go-mysql-org/go-mysql/mysql"
	driver "github.com/go-sql-driver/mysql"
)

const (
	myPeople  = "SELECT id, first_name, email, phone, birth_date, street, country, preferences, last_login_ip, created_at FROM customers WHERE id BETWEEN ? AND ? ORDER BY id"
	myPayment = "SELECT id, card_number, cvv, iban, amount, paid_at FROM payments WHERE id = ?"
	mySalary  = "SELECT id, full_name, ssn, salary, birth_date, hired_on FROM hr.employees WHERE id <= ? ORDER BY id"
	myContact = "SELECT id, email FROM customers WHERE id = ?"
	myDenied  = "SELECT id FROM customers WHERE email = ?"
	myUpdate  = "UPDATE customers SET segment = ? WHERE id = ?"
	mySleep   = "SELECT sleep(60) FROM products"
	myWritten = "CREATE TEMPORARY TABLE written (id int, price decimal(10,2), day date, doc json, word varchar(40), bytes varbinary(10), at datetime(6))"
)

// tls is the TLS of an endpoint for Go's clients.
func (e endpoint) tls(t *testing.T) *tls.Config {
	t.Helper()
	pem, err := os.ReadFile(e.ca)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &tls.Config{RootCAs: roots, ServerName: host}
}

func (e endpoint) address(port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

// errno is the error number of either Go client.
func errno(err error) int {
	var a *driver.MySQLError
	var b *gomysql.MyError
	switch {
	case errors.As(err, &a):
		return int(a.Number)
	case errors.As(err, &b):
		return int(b.Code)
	case err != nil:
		return -1
	}
	return 0
}

func total(rows table) string {
	sum := new(big.Rat)
	for _, r := range rows {
		v, _ := new(big.Rat).SetString(*r[3])
		sum.Add(sum, v)
	}
	return sum.FloatString(2)
}

// runGoSQLDriver works with database/sql: the text protocol where a statement
// has no parameters, prepared statements else.
func runGoSQLDriver(t *testing.T, e endpoint) []observation {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p := &driverClient{goClient{t: t, ctx: ctx, e: e}}
	for _, interpolate := range []bool{false, true} {
		db := p.open(e.login(e.user), e.password, e.port, interpolate)
		p.read(db)
		_ = db.Close()
	}
	admin := p.open(e.login(e.admin), e.adminPW, e.port, false)
	defer admin.Close()
	p.write(admin)
	if e.weir {
		db := p.open(e.login(e.user), e.password, e.port, false)
		defer db.Close()
		p.refused(db)
		p.cancel(admin)
		wrong := p.open(e.login(e.user), "wrong", e.port, false)
		p.observe("wrong_password", errno(wrong.PingContext(ctx)))
		_ = wrong.Close()
		p.frozen()
	}
	return p.seen
}

type driverClient struct{ goClient }

// open is a pool of one connection: what follows an error is on the same one.
func (p *driverClient) open(user, password string, port int, interpolate bool) *sql.DB {
	p.t.Helper()
	c := driver.NewConfig()
	c.User, c.Passwd, c.DBName, c.Net, c.Addr = user, password, "shop", "tcp", p.e.address(port)
	c.TLS, c.InterpolateParams, c.MultiStatements, c.ParseTime = p.e.tls(p.t), interpolate, true, true
	c.Logger = &driver.NopLogger{}
	connector, err := driver.NewConnector(c)
	p.must(err)
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	return db
}

func (p *driverClient) rows(rows *sql.Rows, err error) table {
	p.t.Helper()
	p.must(err)
	defer rows.Close()
	return p.result(rows)
}

func (p *driverClient) result(rows *sql.Rows) table {
	p.t.Helper()
	columns, err := rows.ColumnTypes()
	p.must(err)
	out := table{}
	for rows.Next() {
		values, pointers := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			pointers[i] = &values[i]
		}
		p.must(rows.Scan(pointers...))
		row := make([]*string, len(values))
		for i, v := range values {
			if b, ok := v.([]byte); ok && columns[i].DatabaseTypeName() != "VARBINARY" {
				v = string(b)
			}
			row[i] = cell(v)
		}
		out = append(out, row)
	}
	p.must(rows.Err())
	return out
}

func (p *driverClient) read(db *sql.DB) {
	p.observe("people", p.rows(db.QueryContext(p.ctx, myPeople, 15, 24)))
	rows, err := db.QueryContext(p.ctx, myPeople, 15, 15)
	p.must(err)
	described, err := rows.ColumnTypes()
	p.must(err)
	var types []string
	for _, c := range described {
		precision, scale, _ := c.DecimalSize()
		types = append(types, fmt.Sprint(c.Name(), " ", c.DatabaseTypeName(), " ", c.ScanType(), " ", precision, " ", scale))
	}
	_ = rows.Close()
	p.observe("types", types)
	prepared, err := db.PrepareContext(p.ctx, myPayment)
	p.must(err)
	p.observe("payments", append(p.rows(prepared.QueryContext(p.ctx, 3)), p.rows(prepared.QueryContext(p.ctx, 4))...))
	p.must(prepared.Close())
	salaries := p.rows(db.QueryContext(p.ctx, mySalary, 5))
	p.observe("salaries", salaries)
	p.observe("salary_sum", total(salaries))
	p.observe("cursor", p.rows(db.QueryContext(p.ctx, all)))
	several, err := db.QueryContext(p.ctx, "SELECT 1; SELECT id, email FROM customers WHERE id = 1")
	p.must(err)
	several.NextResultSet()
	p.observe("several", p.result(several))
	_ = several.Close()
}

func (p *driverClient) write(admin *sql.DB) {
	for _, sql := range []string{myWritten, "SET time_zone = '+00:00'"} {
		_, err := admin.ExecContext(p.ctx, sql)
		p.must(err)
	}
	for _, args := range [][]any{{1, "12.50", "2020-02-29", `{"a": [1, null]}`, `grüße 'x' \`, []byte{0, 255}, time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)},
		{2, nil, nil, nil, nil, nil, nil}} {
		_, err := admin.ExecContext(p.ctx, "INSERT INTO written VALUES (?, ?, ?, ?, ?, ?, ?)", args...)
		p.must(err)
	}
	p.observe("written", p.rows(admin.QueryContext(p.ctx, "SELECT * FROM written ORDER BY id")))
}

func (p *driverClient) refused(db *sql.DB) {
	err := db.QueryRowContext(p.ctx, myDenied, "david.huber1@example.org").Scan(new(int))
	p.observe("denied", errno(err))
	p.observe("denied_message", fmt.Sprint(err))
	p.observe("alive", p.rows(db.QueryContext(p.ctx, "SELECT 1")))
	_, err = db.ExecContext(p.ctx, myUpdate, "x", 1)
	p.observe("read_only", errno(err))
	tx, err := db.BeginTx(p.ctx, nil)
	p.must(err)
	_ = tx.QueryRowContext(p.ctx, myDenied, "x").Scan(new(int))
	p.observe("in_transaction", p.rows(tx.QueryContext(p.ctx, myContact, 1)))
	p.must(tx.Commit())
}

// cancel kills by the number that CONNECTION_ID() gives.
func (p *driverClient) cancel(admin *sql.DB) {
	var id int64
	p.must(admin.QueryRowContext(p.ctx, "SELECT CONNECTION_ID()").Scan(&id))
	other := p.open(p.e.login(p.e.admin), p.e.adminPW, p.e.port, false)
	defer other.Close()
	timer := time.AfterFunc(500*time.Millisecond, func() { _, _ = other.ExecContext(p.ctx, fmt.Sprintf("KILL QUERY %d", id)) })
	defer timer.Stop()
	began := time.Now()
	rows, err := admin.QueryContext(p.ctx, mySleep)
	if err == nil {
		for rows.Next() {
		}
		err = rows.Err()
		_ = rows.Close()
	}
	p.observe("cancelled", errno(err))
	p.observe("cancelled_soon", time.Since(began) < 20*time.Second)
	p.observe("alive_after_cancel", p.rows(admin.QueryContext(p.ctx, "SELECT 1")))
}

// frozen is the read-only source: not even an administrator writes there.
func (p *driverClient) frozen() {
	db := p.open(p.e.admin, p.e.adminPW, p.e.frozen, false)
	defer db.Close()
	p.observe("alive", p.rows(db.QueryContext(p.ctx, "SELECT count(*) DIV 1200 FROM customers")))
	var numbers []any
	for _, sql := range mysqlWrites {
		_, err := db.ExecContext(p.ctx, sql)
		if n := errno(err); n == 1290 {
			numbers = append(numbers, n)
		} else {
			numbers = append(numbers, fmt.Sprintf("%s: %v", sql, err))
		}
	}
	p.observe("frozen", numbers)
	p.observe("alive", p.rows(db.QueryContext(p.ctx, "SELECT 1")))
}

// runGoMySQL works with go-mysql's client, also over a compressed connection.
func runGoMySQL(t *testing.T, e endpoint) []observation {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p := &goMySQLClient{goClient{t: t, ctx: ctx, e: e}}
	c, admin := p.connect(e.login(e.user), e.password), p.connect(e.login(e.admin), e.adminPW)
	defer c.Close()
	defer admin.Close()
	p.read(c)
	p.write(admin)
	small := p.connect(e.login(e.user), e.password, func(c *myclient.Conn) error { c.SetCapability(gomysql.CLIENT_COMPRESS); return nil })
	defer small.Close()
	p.observe("compressed", p.rows(small.Execute("SELECT repeat(first_name, 3000) FROM products JOIN (SELECT 'x' AS first_name) x LIMIT 2")))
	if e.weir {
		p.refused(c)
		p.cancel(admin)
		_, err := myclient.ConnectWithContext(ctx, e.address(e.port), e.login(e.user), "wrong", "shop", 10*time.Second, p.secure)
		p.observe("wrong_password", errno(err))
	}
	return p.seen
}

type goMySQLClient struct{ goClient }

func (p *goMySQLClient) secure(c *myclient.Conn) error {
	c.SetTLSConfig(p.e.tls(p.t))
	return nil
}

func (p *goMySQLClient) connect(user, password string, options ...myclient.Option) *myclient.Conn {
	p.t.Helper()
	options = append(options, p.secure, func(c *myclient.Conn) error { c.SetCapability(gomysql.CLIENT_MULTI_STATEMENTS); return nil })
	c, err := myclient.ConnectWithContext(p.ctx, p.e.address(p.e.port), user, password, "shop", 10*time.Second, options...)
	p.must(err)
	return c
}

func (p *goMySQLClient) rows(r *gomysql.Result, err error) table {
	p.t.Helper()
	p.must(err)
	out := table{}
	for i := range r.RowNumber() {
		row := make([]*string, r.ColumnNumber())
		for j := range row {
			row[j] = p.cell(r, i, j)
		}
		out = append(out, row)
	}
	r.Close()
	return out
}

func (p *goMySQLClient) cell(r *gomysql.Result, i, j int) *string {
	if null, err := r.IsNull(i, j); err != nil || null {
		p.must(err)
		return nil
	}
	v, err := r.GetValue(i, j)
	p.must(err)
	if b, ok := v.([]byte); ok {
		v = string(b)
	}
	return cell(v)
}

func (p *goMySQLClient) read(c *myclient.Conn) {
	p.observe("people", p.rows(c.Execute(strings.Replace(strings.Replace(myPeople, "?", "15", 1), "?", "24", 1))))
	p.observe("people", p.rows(c.Execute(myPeople, 15, 24)))
	prepared, err := c.Prepare(myPayment)
	p.must(err)
	p.observe("payments", append(p.rows(prepared.Execute(3)), p.rows(prepared.Execute(4))...))
	p.must(prepared.Close())
	salaries := p.rows(c.Execute(mySalary, 5))
	p.observe("salaries", salaries)
	p.observe("salary_sum", total(salaries))
	var streamed table
	var result gomysql.Result
	p.must(c.ExecuteSelectStreaming(all, &result, func(row []gomysql.FieldValue) error {
		id, address := cell(row[0].Value()), string(row[1].AsString())
		streamed = append(streamed, []*string{id, &address})
		return nil
	}, nil))
	p.observe("cursor", streamed)
	var last table
	_, err = c.ExecuteMultiple("SELECT 1; SELECT id, email FROM customers WHERE id = 1", func(r *gomysql.Result, err error) {
		p.must(err)
		if r != nil && r.Resultset != nil {
			last = p.rows(r, nil)
		}
	})
	p.must(err)
	p.observe("several", last)
}

func (p *goMySQLClient) write(admin *myclient.Conn) {
	_, err := admin.Execute(myWritten)
	p.must(err)
	_, err = admin.Execute("INSERT INTO written VALUES (?, ?, ?, ?, ?, ?, ?)", 1, "12.50", "2020-02-29", `{"a": [1, null]}`, `grüße 'x' \`, []byte{0x41, 0x42}, "2024-05-06 07:08:09")
	p.must(err)
	p.observe("written", p.rows(admin.Execute("SELECT * FROM written ORDER BY id")))
}

func (p *goMySQLClient) refused(c *myclient.Conn) {
	_, err := c.Execute(myDenied, "david.huber1@example.org")
	p.observe("denied", errno(err))
	p.observe("denied_message", fmt.Sprint(err))
	p.observe("alive", p.rows(c.Execute("SELECT 1")))
	_, err = c.Execute(myUpdate, "x", 1)
	p.observe("read_only", errno(err))
	p.must(c.Begin())
	_, _ = c.Execute(myDenied, "x")
	p.observe("in_transaction", p.rows(c.Execute(myContact, 1)))
	p.must(c.Commit())
}

func (p *goMySQLClient) cancel(admin *myclient.Conn) {
	other := p.connect(p.e.login(p.e.admin), p.e.adminPW)
	defer other.Close()
	timer := time.AfterFunc(500*time.Millisecond, func() { _, _ = other.Execute(fmt.Sprintf("KILL QUERY %d", admin.GetConnectionID())) })
	defer timer.Stop()
	began := time.Now()
	_, err := admin.Execute(mySleep)
	p.observe("cancelled", errno(err))
	p.observe("cancelled_soon", time.Since(began) < 20*time.Second)
	p.observe("alive_after_cancel", p.rows(admin.Execute("SELECT 1")))
}

// runMariaDB works with the command line client.
func runMariaDB(t *testing.T, e endpoint) []observation {
	m := &mariadbClient{goClient{t: t, e: e}}
	m.observe("people", m.rows(e.user, e.password, strings.Replace(strings.Replace(myPeople, "?", "15", 1), "?", "24", 1)))
	m.observe("payments", m.rows(e.user, e.password, "PREPARE p FROM '"+myPayment+"'; SET @id = 3; EXECUTE p USING @id; SET @id = 4; EXECUTE p USING @id"))
	m.observe("salaries", m.rows(e.user, e.password, strings.Replace(mySalary, "?", "5", 1)))
	m.observe("cursor", m.rows(e.user, e.password, all))
	if !e.weir {
		return m.seen
	}
	denied := m.refused(e.user, e.password, strings.Replace(myDenied, "?", "'x'", 1))
	m.observe("denied_message", denied)
	m.observe("denied", number(denied))
	m.observe("alive", m.rows(e.user, e.password, "SELECT 1"))
	m.observe("read_only", number(m.refused(e.user, e.password, "UPDATE customers SET segment = 'x' WHERE id = 1")))
	out, _ := m.run(e.user, e.password, "BEGIN;\n"+strings.Replace(myDenied, "?", "'x'", 1)+";\n"+strings.Replace(myContact, "?", "1", 1)+";\nCOMMIT;\n", "--force")
	m.observe("in_transaction", m.parse(out))
	m.observe("wrong_password", number(m.refused(e.user, "wrong", "SELECT 1")))
	return m.seen
}

type mariadbClient struct{ goClient }

// run feeds the client statements and returns its XML, or its error.
func (m *mariadbClient) run(user, password, text string, more ...string) (string, error) {
	m.t.Helper()
	e := m.e
	e.extra = []string{"MYSQL_PWD=" + password}
	args := append([]string{"--no-defaults", "--protocol=tcp", "--host=" + host, "--port=" + strconv.Itoa(e.port), "--user=" + e.login(user),
		"--ssl-ca=" + e.ca, "--ssl-verify-server-cert", "--xml", "--database=shop"}, more...)
	return output(m.t, e, text+";\n", "mariadb", args...)
}

func (m *mariadbClient) rows(user, password, text string) table {
	m.t.Helper()
	out, err := m.run(user, password, text)
	m.must(err)
	return m.parse(out)
}

// parse reads the client's XML: a document for each result.
func (m *mariadbClient) parse(text string) table {
	m.t.Helper()
	out := table{}
	for _, document := range strings.Split(text, "<?xml version=\"1.0\"?>") {
		if strings.TrimSpace(document) == "" {
			continue
		}
		var result struct {
			Rows []struct {
				Fields []struct {
					Nil  string `xml:"http://www.w3.org/2001/XMLSchema-instance nil,attr"`
					Text string `xml:",chardata"`
				} `xml:"field"`
			} `xml:"row"`
		}
		m.must(xml.Unmarshal([]byte(document), &result))
		for _, r := range result.Rows {
			var row []*string
			for i := range r.Fields {
				if r.Fields[i].Nil == "true" {
					row = append(row, nil)
					continue
				}
				row = append(row, &r.Fields[i].Text)
			}
			out = append(out, row)
		}
	}
	return out
}

// refused is what the client says of a statement that fails.
func (m *mariadbClient) refused(user, password, text string) string {
	m.t.Helper()
	_, err := m.run(user, password, text)
	var failed *programError
	if !errors.As(err, &failed) {
		return fmt.Sprint(err)
	}
	return failed.stderr
}

// number reads ERROR 1143 (42000) in what the client says.
func number(message string) int {
	_, rest, _ := strings.Cut(message, "ERROR ")
	n, _, _ := strings.Cut(rest, " ")
	v, _ := strconv.Atoi(n)
	return v
}

const mycliSettings = "[main]\nsmart_completion = True\nkeyword_casing = auto\ntable_format = csv\n"

// runMycli has mycli run one statement at a time.
func runMycli(t *testing.T, e endpoint) []observation {
	settings := filepath.Join(t.TempDir(), "myclirc")
	if err := os.WriteFile(settings, []byte(mycliSettings), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(text string) (table, error) {
		out, err := output(t, e, "", "mycli", "--myclirc", settings, "--host", host, "--port", strconv.Itoa(e.port), "--user", e.login(e.user),
			"--pass", e.password, "--ssl-ca", e.ca, "--ssl-verify-server-cert", "--csv", "-e", text, "shop")
		if err != nil {
			return nil, err
		}
		rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
		if err != nil || len(rows) == 0 {
			return nil, fmt.Errorf("mycli printed %q: %w", out, err)
		}
		result := table{}
		for _, r := range rows[1:] {
			var row []*string
			for i := range r {
				row = append(row, &r[i])
			}
			result = append(result, row)
		}
		return result, nil
	}
	g := &goClient{t: t, e: e}
	contact, err := run("SELECT id, email FROM customers WHERE id = 1")
	g.must(err)
	g.observe("contact", contact)
	if !e.weir {
		return g.seen
	}
	_, err = run("SELECT id FROM customers WHERE email = 'x'")
	g.observe("denied_message", fmt.Sprint(err))
	alive, err := run("SELECT 1")
	g.must(err)
	g.observe("alive", alive)
	return g.seen
}
