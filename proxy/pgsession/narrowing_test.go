package pgsession_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/weirdb/weir/deploy/pgserver"
	"github.com/weirdb/weir/policy"
	"github.com/weirdb/weir/proxy/gate"
	"github.com/weirdb/weir/proxy/pgsession"
	"github.com/weirdb/weir/query/pgsql"
)

// The narrowed database has two copies: in real are the values, in seen what an
// analyst is to see of them (constants, and only the rows that the filters
// leave). What weir shows of real must equal what the server shows of seen.
const narrowedSchema = `
CREATE SCHEMA hr AUTHORIZATION app;
SET ROLE app;
CREATE TYPE hr.grade AS ENUM ('a', 'b', 'c');
CREATE TABLE hr.dept (id int PRIMARY KEY, name text, floor int);
CREATE TABLE hr.person (id int PRIMARY KEY, name text, region text, city varchar(20), dept_id int REFERENCES hr.dept, ssn text, salary numeric(12,2), grade hr.grade, email text, born date, tags text[]);
CREATE TABLE hr.visit (person_id int, at date, cost int, primary key (person_id, at));
CREATE TABLE hr.badge (id int PRIMARY KEY, ssn text UNIQUE, room int, grade hr.grade, UNIQUE (room, grade));
INSERT INTO hr.badge VALUES (1, 'x', 1, 'a'), (2, 'y', 2, 'a');
CREATE VIEW hr.v_person AS SELECT p.id, p.name, p.ssn, p.region, d.name AS dept FROM hr.person p JOIN hr.dept d ON d.id = p.dept_id;
CREATE VIEW hr.v_rich AS SELECT id, name FROM hr.person WHERE salary > 1000;
CREATE TABLE hr.log (id int, region text, note text) PARTITION BY RANGE (id);
CREATE TABLE hr.log_1 PARTITION OF hr.log FOR VALUES FROM (0) TO (100);
CREATE TABLE hr.log_2 PARTITION OF hr.log FOR VALUES FROM (100) TO (200);
INSERT INTO hr.dept SELECT g, 'dept ' || g, g % 3 FROM generate_series(1, 5) g;
INSERT INTO hr.person SELECT g, 'name ' || g, (ARRAY['EU','US','EU','ASIA'])[g % 4 + 1], 'city ' || g % 7, g % 5 + 1, '123-45-' || 1000 + g, g * 100,
  (ARRAY['a','b','c']::hr.grade[])[g % 3 + 1], 'p' || g || '@example.com', date '1970-01-01' + g, ARRAY['t' || g] FROM generate_series(1, 60) g;
INSERT INTO hr.visit SELECT g, date '2024-01-01' + h, g * 10 + h FROM generate_series(1, 60) g, generate_series(1, 3) h;
INSERT INTO hr.log SELECT g, (ARRAY['EU','US'])[g % 2 + 1], 'note ' || g FROM generate_series(1, 199) g;
RESET ROLE;`

const narrowedView = `
DELETE FROM hr.person WHERE region <> 'EU';
DELETE FROM hr.log WHERE region <> 'EU';
UPDATE hr.person SET ssn = '[redacted]', salary = NULL, grade = 'a', born = '1970-01-01', tags = '{}', email = 'p***@example.com';`

// narrowing is a policy whose parts a test may switch.
type narrowing struct {
	mu        sync.Mutex
	filters   bool
	elsewhere string
	constant  string // the value that redact shows for ssn, if not its own
}

func (n *narrowing) set(change func(*narrowing)) {
	n.mu.Lock()
	change(n)
	n.mu.Unlock()
}

func (*narrowing) Epoch() any { return nil }

func (*narrowing) Tags(_, _, _, _, _, column string) []string {
	switch column {
	case "ssn", "salary", "grade", "email", "born", "tags":
		return []string{column}
	}
	return nil
}

func (n *narrowing) Decide(_ context.Context, in *policy.Input) (*policy.Decision, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	d := &policy.Decision{Allow: true, Mode: policy.ModeEnforce}
	if in.Statement == nil || in.User.Name == "root" {
		return d, nil
	}
	for _, t := range in.Statement.Tables {
		if n.filters && t.Schema == "hr" && (t.Name == "person" || t.Name == "log") {
			d.RowFilters = append(d.RowFilters, policy.RowFilter{Schema: t.Schema, Table: t.Name, Expression: "region = 'EU'"})
		}
		for _, c := range t.Columns {
			if len(c.Tags) == 0 {
				continue
			}
			m := policy.Mask{Schema: t.Schema, Table: t.Name, Column: c.Name, Function: "redact", Elsewhere: n.elsewhere}
			switch c.Name {
			case "salary":
				m.Function = "null"
			case "email":
				m.Function, m.Elsewhere = "email", policy.ElsewhereRefuse
			case "ssn":
				if n.constant != "" {
					m.Args = map[string]any{"value": n.constant}
				}
			}
			d.Masks = append(d.Masks, m)
		}
	}
	return d, nil
}

// narrowed is weir in front of real, and a way to seen.
type narrowed struct {
	*weir
	policy  *narrowing
	journal *journal
	db      *pgserver.Server
}

func narrow(t *testing.T, major int) *narrowed {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	db, err := pgserver.Start(ctx, pgserver.Options{Major: major})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Stop)
	for _, x := range []struct{ database, sql string }{
		{"postgres", "CREATE ROLE app LOGIN PASSWORD 'app'"}, {"postgres", "CREATE DATABASE real OWNER app"}, {"real", narrowedSchema},
		{"postgres", "CREATE DATABASE seen TEMPLATE real"}, {"seen", narrowedView},
	} {
		if err := db.Exec(ctx, x.database, x.sql); err != nil {
			t.Fatalf("%s: %v", x.sql, err)
		}
	}
	m := pgsql.NewManager(pgsql.ManagerOptions{Connect: func(ctx context.Context) (*pgx.Conn, error) {
		return pgx.Connect(ctx, db.URL("app", "app", "real"))
	}})
	t.Cleanup(m.Close)
	n := &narrowed{policy: &narrowing{filters: true, elsewhere: policy.ElsewhereMasked}, journal: &journal{}, db: db}
	s := setup{db: db, database: "real", catalogs: m}
	s.options.Gate = pgsession.FromGate(gate.New(gate.Options{Policy: n.policy, Journal: n.journal}))
	n.weir = start(t, s)
	return n
}

func (n *narrowed) seen() *pgx.Conn {
	n.t.Helper()
	c, err := pgx.Connect(within(n.t), n.db.URL("app", "app", "seen"))
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

// TestLiveNarrowed runs against each server version.
func TestLiveNarrowed(t *testing.T) {
	for _, major := range []int{15, 18} {
		t.Run(fmt.Sprint(major), func(t *testing.T) {
			n := narrow(t, major)
			for _, test := range []struct {
				name string
				run  func(*testing.T, *narrowed)
			}{{"reads", narrowedReading}, {"copy", narrowedCopy}, {"prepared", narrowedPrepared}, {"prepared in SQL", narrowedSQLPrepared},
				{"cursors", narrowedCursors}, {"errors", narrowedErrors}, {"explain", narrowedExplain}, {"audit", narrowedAudit},
				{"written back", narrowedWriteBack}, {"writes", narrowedWrites}} {
				t.Run(test.name, func(t *testing.T) {
					n.policy.set(func(p *narrowing) { p.filters, p.elsewhere, p.constant = true, policy.ElsewhereMasked, "" })
					on := *n.weir
					on.t = t
					test.run(t, &narrowed{weir: &on, policy: n.policy, journal: n.journal, db: n.db})
				})
			}
		})
	}
}

// shown is all that comes back for a text: rows, tags, or the error.
func shown(t *testing.T, c *pgx.Conn, sql string, extended bool) string {
	t.Helper()
	var out strings.Builder
	var err error
	if extended {
		r := c.PgConn().ExecParams(within(t), sql, nil, nil, nil, nil).Read()
		err = r.Err
		show(&out, r)
	} else {
		var results []*pgconn.Result
		results, err = c.PgConn().Exec(within(t), sql).ReadAll()
		for _, r := range results {
			show(&out, r)
		}
	}
	var pe *pgconn.PgError
	switch {
	case errors.As(err, &pe):
		fmt.Fprintf(&out, "%s %s", pe.Code, pe.Message)
	case err != nil:
		t.Fatalf("%s: %v", sql, err)
	}
	return out.String()
}

func show(out *strings.Builder, r *pgconn.Result) {
	for _, f := range r.FieldDescriptions {
		fmt.Fprintf(out, "%s:%d ", f.Name, f.DataTypeOID)
	}
	out.WriteString("\n")
	for _, row := range r.Rows {
		for _, cell := range row {
			if cell == nil {
				out.WriteString("NULL|")
			} else {
				out.WriteString(string(cell) + "|")
			}
		}
		out.WriteString("\n")
	}
	out.WriteString(r.CommandTag.String() + "\n")
}

// narrowedReads must show of real what the server shows of seen.
var narrowedReads = []string{
	// Constants in every clause.
	"SELECT count(*) FROM hr.person WHERE ssn = '[redacted]'",
	"SELECT id FROM hr.person WHERE ssn LIKE '123%' ORDER BY id",
	"SELECT id, ssn FROM hr.person WHERE salary > 1000 OR salary IS NULL ORDER BY id",
	"SELECT ssn, count(*), min(id) FROM hr.person GROUP BY ssn",
	"SELECT DISTINCT ssn, grade FROM hr.person",
	"SELECT DISTINCT ON (ssn) id, ssn FROM hr.person ORDER BY ssn, id",
	"SELECT a.id, b.id FROM hr.person a JOIN hr.person b ON a.ssn = b.ssn AND a.id < b.id WHERE a.id < 10 ORDER BY 1, 2",
	"SELECT a.id, ssn FROM hr.person a JOIN hr.person b USING (ssn) WHERE a.id < 5 AND b.id < 5 ORDER BY 1, b.id",
	"SELECT sum(salary), avg(salary), count(salary), max(ssn), min(grade), string_agg(ssn, ',' ORDER BY id) FROM hr.person",
	"SELECT upper(ssn) || length(ssn)::text, substr(ssn, 1, 3) FROM hr.person ORDER BY id LIMIT 3",
	"SELECT id FROM hr.person ORDER BY salary NULLS FIRST, id LIMIT 5",
	"SELECT id, rank() OVER (PARTITION BY ssn ORDER BY id), lag(ssn) OVER (ORDER BY id) FROM hr.person ORDER BY id LIMIT 5",
	"SELECT ssn FROM hr.person UNION SELECT name FROM hr.dept ORDER BY 1",
	"SELECT id, CASE WHEN ssn = '[redacted]' THEN 'hidden' ELSE 'shown' END, coalesce(salary, 0), grade = 'a' FROM hr.person ORDER BY id LIMIT 4",
	"SELECT grade::text, extract(year FROM born), cardinality(tags) FROM hr.person ORDER BY id LIMIT 2",
	"SELECT id FROM hr.person GROUP BY ssn, id HAVING max(salary) IS NULL ORDER BY id LIMIT 3",
	"SELECT id, name, ssn FROM hr.person GROUP BY id HAVING count(ssn) > 0 ORDER BY id LIMIT 3",
	"SELECT row_to_json(p) FROM (SELECT id, ssn, salary FROM hr.person ORDER BY id LIMIT 2) p",
	"SELECT count(*) FILTER (WHERE ssn IS NULL) FROM hr.person",
	"SELECT (SELECT max(ssn) FROM hr.person q WHERE q.dept_id = d.id) FROM hr.dept d ORDER BY d.id",
	"SELECT id FROM hr.person WHERE ssn IN (SELECT ssn FROM hr.person WHERE id = 2) AND id < 9 ORDER BY id",
	"SELECT exists(SELECT FROM hr.person WHERE ssn > 'z')",
	"WITH p AS (SELECT ssn, id FROM hr.person WHERE salary IS NULL) SELECT ssn, count(*) FROM p GROUP BY 1",
	"SELECT x.s FROM hr.dept d, LATERAL (SELECT max(ssn) AS s FROM hr.person WHERE dept_id = d.id) x ORDER BY d.id",
	"SELECT id, ssn FROM hr.v_person WHERE ssn = '[redacted]' ORDER BY id LIMIT 3",
	"SELECT dept, count(*) FROM hr.v_person GROUP BY dept ORDER BY dept",
	"SELECT * FROM hr.v_rich ORDER BY id",
	"SELECT ssn AS s, id FROM hr.person AS q(id, n, r, c, d, ssn) WHERE length(ssn) > 3 ORDER BY id LIMIT 2",
	// Rows.
	"SELECT count(*) FROM hr.person",
	"SELECT id, name, region FROM hr.person ORDER BY id",
	"TABLE hr.person ORDER BY id",
	"SELECT region, count(*) FROM hr.person GROUP BY region",
	"SELECT d.name, count(p.id) FROM hr.dept d LEFT JOIN hr.person p ON p.dept_id = d.id GROUP BY d.name ORDER BY 1",
	"SELECT count(*) FROM hr.visit v WHERE EXISTS (SELECT 1 FROM hr.person p WHERE p.id = v.person_id)",
	"SELECT sum(cost) FROM hr.visit v JOIN hr.person p ON p.id = v.person_id",
	"SELECT count(*) FROM hr.log",
	"SELECT count(*) FROM hr.log_1",
	"SELECT id FROM hr.log_2 WHERE note LIKE '%9' ORDER BY id",
	"SELECT count(*) FROM hr.person p FULL JOIN hr.visit v ON p.id = v.person_id",
	"SELECT max(id) FROM hr.person WHERE NOT region = 'EU'",
	"WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT n, (SELECT count(*) FROM hr.person WHERE id <= n) FROM r",
	"SELECT name FROM hr.person EXCEPT SELECT 'name 2' ORDER BY 1 LIMIT 3",
	"SELECT 1; SELECT count(*) FROM hr.person; SELECT 2",
	// Sessions.
	"PREPARE p AS SELECT count(*) FROM hr.person WHERE ssn = $1; EXECUTE p('[redacted]'); EXECUTE p('x'); DEALLOCATE p",
	"PREPARE q AS SELECT id, ssn FROM hr.person ORDER BY salary NULLS LAST, id LIMIT 2; EXECUTE q; DEALLOCATE q",
	"BEGIN; DECLARE c CURSOR FOR SELECT id, ssn FROM hr.person WHERE ssn <> 'x' ORDER BY id; FETCH 3 FROM c; MOVE 1 IN c; FETCH 2 FROM c; CLOSE c; COMMIT",
	"BEGIN; DECLARE c SCROLL CURSOR FOR SELECT count(*) FROM hr.person; FETCH c; COMMIT",
	"SET search_path = hr; SELECT count(*) FROM person WHERE ssn = '[redacted]'; RESET search_path",
}

func narrowedReading(t *testing.T, n *narrowed) {
	through, direct := n.connect(""), n.seen()
	for _, sql := range narrowedReads {
		for _, extended := range []bool{false, true} {
			if extended && strings.Contains(sql, ";") {
				continue
			}
			got, want := shown(t, through, sql, extended), shown(t, direct, sql, extended)
			if got != want {
				t.Errorf("%s (extended %v):\n got %s\nwant %s", sql, extended, got, want)
			}
		}
	}
}

func narrowedCopy(t *testing.T, n *narrowed) {
	through, direct := n.connect(""), n.seen()
	for _, sql := range []string{
		"COPY hr.person (id, name, region, ssn) TO STDOUT",
		"COPY hr.person (id, ssn, salary, grade, born, tags) TO STDOUT (FORMAT csv, HEADER)",
		"COPY hr.person (id, ssn) TO STDOUT (FORMAT binary)",
		"COPY (SELECT ssn, count(*) FROM hr.person GROUP BY ssn) TO STDOUT",
		"COPY (SELECT id, region FROM hr.person ORDER BY id) TO STDOUT (FORMAT csv)",
	} {
		var got, want bytes.Buffer
		a, err := through.PgConn().CopyTo(within(t), &got, sql)
		if err != nil {
			t.Errorf("%s: %v", sql, err)
			continue
		}
		b, err := direct.PgConn().CopyTo(within(t), &want, sql)
		if err != nil {
			t.Fatal(err)
		}
		if got.String() != want.String() || a != b {
			t.Errorf("%s:\n got %s\nwant %s", sql, got.String(), want.String())
		}
	}
}

func narrowedWrites(t *testing.T, n *narrowed) {
	through, direct, root := n.connect(""), n.seen(), n.connectAs("root")
	for _, sql := range []string{
		"UPDATE hr.person SET name = name || '!' WHERE id < 20",
		"UPDATE hr.person SET city = 'x' RETURNING id, ssn",
		"UPDATE hr.person p SET city = d.name FROM hr.dept d WHERE d.id = p.dept_id AND p.id < 9 RETURNING p.id, p.city",
		"UPDATE hr.visit SET cost = 0 WHERE person_id IN (SELECT id FROM hr.person WHERE ssn = '[redacted]')",
		"UPDATE hr.visit v SET cost = 1 FROM hr.person p WHERE p.id = v.person_id AND p.ssn LIKE '[%'",
		"DELETE FROM hr.visit USING hr.person p WHERE p.id = person_id AND p.id < 5",
		"DELETE FROM hr.person WHERE id < 12 RETURNING id",
		"INSERT INTO hr.visit SELECT id, date '2030-01-01', 1 FROM hr.person WHERE ssn <> 'x'",
		"WITH gone AS (DELETE FROM hr.person WHERE id = 14 RETURNING id) SELECT * FROM gone",
		"DELETE FROM hr.log WHERE id < 50",
	} {
		for _, c := range []*pgx.Conn{through, direct} {
			if _, err := c.Exec(within(t), "BEGIN"); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := shown(t, through, sql, false), shown(t, direct, sql, false); got != want {
			t.Errorf("%s:\n got %s\nwant %s", sql, got, want)
		}
		for _, c := range []*pgx.Conn{through, direct} {
			if _, err := c.Exec(within(t), "ROLLBACK"); err != nil {
				t.Fatal(err)
			}
		}
	}
	// What is hidden stays as it is.
	if _, err := through.Exec(within(t), "DELETE FROM hr.person"); err != nil {
		t.Fatal(err)
	}
	if got := cell(t, root, "SELECT region, count(*) FROM hr.person GROUP BY region ORDER BY region"); got != "ASIA|15 US|15" {
		t.Errorf("left are %s", got)
	}
}

// fails wants an error of a SQLSTATE with a part of its message.
func fails(t *testing.T, err error, code, message string) *pgconn.PgError {
	t.Helper()
	var pe *pgconn.PgError
	if !errors.As(err, &pe) || pe.Code != code || !strings.Contains(pe.Message, message) {
		t.Fatalf("got %v, want %s %q", err, code, message)
	}
	return pe
}

// What is prepared runs as long as it is what would be prepared now.
func narrowedPrepared(t *testing.T, n *narrowed) {
	c := n.connect("").PgConn()
	ctx := within(t)
	const sql = "SELECT count(*) FROM hr.person WHERE ssn = $1"
	run := func(name string) (string, error) {
		r := c.ExecPrepared(ctx, name, [][]byte{[]byte("[redacted]")}, nil, nil).Read()
		if r.Err != nil {
			return "", r.Err
		}
		return string(r.Rows[0][0]), nil
	}
	prepare := func(name string) {
		t.Helper()
		d, err := c.Prepare(ctx, name, sql, nil)
		if err != nil || len(d.ParamOIDs) != 1 || d.ParamOIDs[0] != 25 || len(d.Fields) != 1 {
			t.Fatalf("%+v, %v", d, err)
		}
	}
	prepare("s")
	for range 2 {
		if got, err := run("s"); got != "30" || err != nil {
			t.Fatalf("%s, %v", got, err)
		}
	}
	n.policy.set(func(p *narrowing) { p.constant = "gone" })
	_, err := run("s")
	fails(t, err, "0A000", "has changed since the statement was prepared")
	prepare("again")
	if got, err := run("again"); got != "0" || err != nil {
		t.Fatalf("%s, %v", got, err)
	}
	n.policy.set(func(p *narrowing) { p.filters = false })
	_, err = run("again")
	fails(t, err, "0A000", "has changed")
	n.policy.set(func(p *narrowing) { p.elsewhere = policy.ElsewhereRefuse })
	_, err = run("again")
	fails(t, err, "42501", "ssn is masked for ana")
	n.policy.set(func(p *narrowing) { p.filters, p.elsewhere, p.constant = true, policy.ElsewhereMasked, "" })
	if got, err := run("s"); got != "30" || err != nil {
		t.Fatalf("under the old rules again: %s, %v", got, err)
	}
	if _, err := c.Exec(ctx, "SET search_path = hr").ReadAll(); err != nil {
		t.Fatal(err)
	}
	if got, err := run("s"); got != "30" || err != nil {
		t.Fatalf("under another search_path: %s, %v", got, err)
	}
	// What was prepared as it is must not run once it may not.
	n.policy.set(func(p *narrowing) { p.filters = false })
	if _, err := c.Prepare(ctx, "plain", "SELECT count(*) FROM hr.person WHERE $1 <> ''", nil); err != nil {
		t.Fatal(err)
	}
	if got, err := run("plain"); got != "60" || err != nil {
		t.Fatalf("%s, %v", got, err)
	}
	n.policy.set(func(p *narrowing) { p.filters = true })
	_, err = run("plain")
	fails(t, err, "0A000", "has changed")
}

// givesCells checks the one cell that a statement gives.
func givesCells(t *testing.T, c *pgx.Conn) func(sql, want string) {
	return func(sql, want string) {
		t.Helper()
		if got := cell(t, c, sql); got != want {
			t.Fatalf("%s: got %s, want %s", sql, got, want)
		}
	}
}

func narrowedSQLPrepared(t *testing.T, n *narrowed) {
	c := n.connect("")
	ok := givesCells(t, c)
	ok("PREPARE p (text) AS SELECT count(*) FROM hr.person WHERE ssn = $1", "")
	ok("EXECUTE p('[redacted]')", "30")
	n.policy.set(func(p *narrowing) { p.filters = false })
	ok("EXECUTE p('[redacted]')", "0A000")
	ok("DEALLOCATE p; PREPARE p (text) AS SELECT count(*) FROM hr.person WHERE ssn = $1", "")
	ok("EXECUTE p('[redacted]')", "60")
	ok("PREPARE q AS SELECT upper(email) FROM hr.person", "42501")
	ok("EXECUTE q", "26000")
	// The extended protocol prepares and executes such statements too.
	ctx := within(t)
	for _, sql := range []string{"PREPARE x AS SELECT max(ssn) FROM hr.person", "EXECUTE x"} {
		r := c.PgConn().ExecParams(ctx, sql, nil, nil, nil, nil).Read()
		if r.Err != nil || sql == "EXECUTE x" && string(r.Rows[0][0]) != "[redacted]" {
			t.Fatalf("%s: %v", sql, r.Err)
		}
	}
	ok("EXECUTE x", "[redacted]")
	ok("EXPLAIN EXECUTE x", "42501")
	// A portal of EXECUTE runs what has the name when it runs.
	ok("DEALLOCATE x; BEGIN; PREPARE x AS SELECT name FROM hr.dept WHERE id = 1", "")
	p := c.PgConn().Frontend()
	p.SendParse(&pgproto3.Parse{Query: "EXECUTE x"})
	p.SendBind(&pgproto3.Bind{DestinationPortal: "late"})
	p.SendSync(&pgproto3.Sync{})
	answers(t, c, p)
	ok("DEALLOCATE x; PREPARE x AS SELECT ssn FROM hr.person WHERE id = 2", "")
	p.SendExecute(&pgproto3.Execute{Portal: "late"})
	p.SendSync(&pgproto3.Sync{})
	for _, m := range answers(t, c, p) {
		if strings.Contains(m, "123-45") {
			t.Fatalf("a protected value came: %s", m)
		}
	}
	ok("ROLLBACK", "")
}

// answers sends and reads what comes back until ReadyForQuery.
func answers(t *testing.T, c *pgx.Conn, p *pgproto3.Frontend) []string {
	t.Helper()
	if err := c.PgConn().Conn().SetDeadline(time.Now().Add(15 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := p.Flush(); err != nil {
		t.Fatal(err)
	}
	var all []string
	for {
		m, err := p.Receive()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%T %s", m, fmt.Sprint(m)))
		if row, ok := m.(*pgproto3.DataRow); ok {
			all = append(all, string(bytes.Join(row.Values, []byte("|"))))
		}
		if _, ok := m.(*pgproto3.ReadyForQuery); ok {
			return all
		}
	}
}

func narrowedCursors(t *testing.T, n *narrowed) {
	c := n.connect("")
	ok := givesCells(t, c)
	ok("BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT id, ssn, email FROM hr.person WHERE ssn <> '' ORDER BY id; COMMIT", "")
	ok("FETCH 1 FROM c", "2|[redacted]|p***@example.com")
	r := n.rows(t, c, "FETCH 1 FROM c")
	if r != "4|[redacted]|p***@example.com" {
		t.Fatalf("extended: %s", r)
	}
	n.policy.set(func(p *narrowing) { p.filters = false })
	ok("FETCH 1 FROM c", "0A000")
	ok("MOVE 1 IN c", "0A000")
	n.policy.set(func(p *narrowing) { p.filters = true })
	ok("FETCH 1 FROM c", "6|[redacted]|p***@example.com")
	ok("CLOSE c", "")
	// A portal of the protocol is fetched in pieces.
	p := c.PgConn().Frontend()
	p.SendParse(&pgproto3.Parse{Query: "SELECT id FROM hr.person WHERE ssn <> '' ORDER BY id"})
	p.SendBind(&pgproto3.Bind{})
	for range 3 {
		p.SendExecute(&pgproto3.Execute{MaxRows: 1})
	}
	p.SendSync(&pgproto3.Sync{})
	if got := strings.Join(answers(t, c, p), " "); !strings.Contains(got, "[2") && !strings.Contains(got, " 2 ") || strings.Count(got, "PortalSuspended") != 3 {
		t.Fatalf("got %s", got)
	}
}

// rows are the cells of an extended query.
func (n *narrowed) rows(t *testing.T, c *pgx.Conn, sql string) string {
	t.Helper()
	r := c.PgConn().ExecParams(within(t), sql, nil, nil, nil, nil).Read()
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	var out []string
	for _, row := range r.Rows {
		out = append(out, string(bytes.Join(row, []byte("|"))))
	}
	return strings.Join(out, " ")
}

func narrowedErrors(t *testing.T, n *narrowed) {
	c := n.connect("")
	exec := func(sql string, mode pgx.QueryExecMode) error {
		_, err := c.Exec(within(t), sql, mode)
		return err
	}
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec} {
		// Rows are hidden: an error might quote them.
		pe := fails(t, exec("SELECT name::int FROM hr.person", mode), "22P02", "withheld")
		if pe.Position != 0 || strings.Contains(fmt.Sprintf("%+v", pe), "name ") {
			t.Errorf("%+v", pe)
		}
		n.policy.set(func(p *narrowing) { p.filters = false })
		// Only constants are there: the server's own words help.
		pe = fails(t, exec("SELECT ssn::int FROM hr.person", mode), "22P02", `invalid input syntax for type integer: "[redacted]"`)
		if pe.Position != 0 {
			t.Errorf("a position in a text that the client did not send: %+v", pe)
		}
		fails(t, exec("SELECT ssn || nosuch FROM hr.person", mode), "42703", "nosuch")
		n.policy.set(func(p *narrowing) { p.filters = true })
	}
	sql := "SELECT count(*) FROM hr.person WHERE ssn = 'ü'; SELECT 1 + 'x'; SELECT count(ssn) FROM hr.person"
	pe := fails(t, exec(sql, pgx.QueryExecModeSimpleProtocol), "22P02", "invalid input syntax")
	if want := strings.Index(sql, "'x'") - 1 + 1; int(pe.Position) != want { // ü is two bytes
		t.Errorf("the position is %d, want %d", pe.Position, want)
	}
	sql = "SELECT count(*) FROM hr.person; SELECT upper(email) FROM hr.person"
	pe = fails(t, exec(sql, pgx.QueryExecModeSimpleProtocol), "42501", "email is masked")
	if want := strings.Index(sql, "email") + 1; int(pe.Position) != want {
		t.Errorf("the position is %d, want %d", pe.Position, want)
	}
	sql = "PREPARE z AS SELECT upper(email) FROM hr.person"
	pe = fails(t, exec(sql, pgx.QueryExecModeSimpleProtocol), "42501", "email is masked")
	if want := strings.Index(sql, "email") + 1; int(pe.Position) != want {
		t.Errorf("the position in PREPARE is %d, want %d", pe.Position, want)
	}
}

func narrowedExplain(t *testing.T, n *narrowed) {
	c := n.connect("")
	for _, sql := range []string{"EXPLAIN SELECT count(*) FROM hr.log", "EXPLAIN ANALYZE SELECT count(*) FROM hr.log"} {
		_, err := c.Exec(within(t), sql)
		fails(t, err, "42501", "tells of rows that are hidden")
	}
	n.policy.set(func(p *narrowing) { p.filters = false })
	const sql = "SELECT count(*) FROM hr.person WHERE ssn = '[redacted]' AND id = 5"
	if got := shown(t, c, "EXPLAIN (COSTS OFF) "+sql, false); !strings.Contains(got, "Index") {
		t.Errorf("the plan is %s", got)
	}
	_, err := c.Exec(within(t), "EXPLAIN ANALYZE "+sql)
	fails(t, err, "42501", "whose estimates come from its values")
}

func narrowedAudit(t *testing.T, n *narrowed) {
	c := n.connect("")
	const sql = "SELECT id FROM hr.person WHERE ssn = 'audited'"
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec} {
		if _, err := c.Exec(within(t), sql, mode); err != nil {
			t.Fatal(err)
		}
	}
	n.journal.mu.Lock()
	defer n.journal.mu.Unlock()
	count := 0
	for _, e := range n.journal.events {
		if e.Text != sql {
			continue
		}
		count++
		if !strings.Contains(e.RewrittenText, "'[redacted]'") || !strings.Contains(e.RewrittenText, "'EU'") {
			t.Errorf("rewritten to %q", e.RewrittenText)
		}
	}
	if count != 2 {
		t.Errorf("%d events", count)
	}
}

func narrowedWriteBack(t *testing.T, n *narrowed) {
	c := n.connect("")
	n.policy.set(func(p *narrowing) { p.filters = false })
	ctx := within(t)
	_, err := c.Exec(ctx, "UPDATE hr.person SET ssn = '[redacted]' WHERE id = 1")
	pe := fails(t, err, "42501", "the value for ssn looks like a masked one")
	if pe.Position != 28 {
		t.Errorf("the position is %d", pe.Position)
	}
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeCacheStatement} {
		_, err = c.Exec(ctx, "UPDATE hr.person SET email = $1 WHERE id = 1", mode, "p***@example.com")
		fails(t, err, "42501", "looks like a masked one")
		if tag, err := c.Exec(ctx, "UPDATE hr.person SET email = $1 WHERE id = 1", mode, "new@example.com"); err != nil || tag.RowsAffected() != 1 {
			t.Errorf("a real value: %v, %v", tag, err)
		}
	}
	_, err = c.CopyFrom(ctx, pgx.Identifier{"hr", "person"}, []string{"id", "email"}, pgx.CopyFromRows([][]any{{9000, "p***@example.com"}}))
	fails(t, err, "42501", "COPY FROM cannot be looked at")
	// What others hold must not tell whether a value is there.
	_, err = c.Exec(ctx, "INSERT INTO hr.badge (id, ssn) VALUES (9, '1')")
	fails(t, err, "42501", "ssn is masked for ana; it may be selected but not written")
	_, err = c.Exec(ctx, "UPDATE hr.badge SET room = 2 WHERE id = 1")
	fails(t, err, "42501", "grade is masked for ana")
	if _, err = c.Exec(ctx, "INSERT INTO hr.badge (id, room) VALUES (9, 1)"); err != nil {
		t.Errorf("a row without the column: %v", err)
	}
	_, err = c.Exec(ctx, "PREPARE w AS UPDATE hr.person SET city = $1 WHERE id = 1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = c.Exec(ctx, "EXECUTE w ('p***@example.com')", pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Errorf("an unmasked column: %v", err)
	}
}
