package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Sections of the script's output begin with a line of this and the step.
const section = "### "

const psqlRead = `
\pset null '\\N'
\pset format unaligned
\pset fieldsep '\t'
\pset tuples_only on
\pset pager off
\set first 15
\echo ### people
SELECT id, first_name, email, phone, birth_date, street, country, preferences, last_login_ip, created_at
  FROM customers WHERE id BETWEEN :'first' AND 24 ORDER BY id;
PREPARE payment (int) AS SELECT id, card_number, cvv, iban, amount, paid_at FROM payments WHERE id = $1;
\echo ### payments
EXECUTE payment(3);
EXECUTE payment(4);
\echo ### salaries
SELECT id, full_name, ssn, salary, birth_date, hired_on FROM hr.employees WHERE id <= 5 ORDER BY id;
\echo ### contacts
SELECT * FROM customer_contacts WHERE id <= 10 ORDER BY id;
\echo ### whole_row
TABLE customers ORDER BY id LIMIT 50;
\set FETCH_COUNT 100
\echo ### cursor
SELECT id, email FROM customers ORDER BY id;
\unset FETCH_COUNT
\echo ### copy
\copy (SELECT id, email, phone, birth_date FROM customers WHERE id <= 30 ORDER BY id) TO STDOUT
\echo ### several
SELECT id, email FROM customers WHERE id = 1 \; SELECT id, email FROM customers WHERE id = 2;
\echo ### gdesc
SELECT id, email, birth_date FROM customers \gdesc
\pset tuples_only off
\pset format aligned
\echo ### described
\d customers
\d+ hr.employees
\d customer_contacts
\echo ### listed
\dt
\dv
\dn
\df
\d
`

const psqlRefused = `
\pset tuples_only on
\pset format unaligned
\pset fieldsep '\t'
SELECT id FROM customers WHERE email = 'david.huber1@example.org';
\echo ### denied
\echo :SQLSTATE
\echo ### denied_message
\echo :LAST_ERROR_MESSAGE
\echo ### alive
SELECT 1;
UPDATE customers SET segment = 'x' WHERE id = 1;
\echo ### read_only
\echo :SQLSTATE
BEGIN;
SELECT id FROM customers WHERE email = 'x';
SELECT 1;
\echo ### aborted
\echo :SQLSTATE
ROLLBACK;
\echo ### rolled_back
SELECT id, email FROM customers WHERE id = 1;
\set ON_ERROR_ROLLBACK on
BEGIN;
SELECT id FROM customers WHERE email = 'x';
\echo ### savepoint
SELECT id, email FROM customers WHERE id = 2;
COMMIT;
`

// asText are the steps whose output is compared as it was printed.
var asText = map[string]bool{"gdesc": true, "described": true, "listed": true, "denied": true, "denied_message": true, "read_only": true, "aborted": true}

func runPsql(t *testing.T, e endpoint) []observation {
	seen := psqlScript(t, e, psqlRead)
	if !e.weir {
		return seen
	}
	seen = append(seen, psqlScript(t, e, psqlRefused)...)
	wrong := e
	wrong.password = "wrong"
	_, err := output(t, wrong, "", "psql", "-X", "-c", "SELECT 1")
	seen = append(seen, observation{"wrong_password", fmt.Sprint(err)})
	psqlInterrupted(t, e)
	psqlPlaintext(t, e)
	return seen
}

// libpq18 is where `make servers` puts the library of PostgreSQL 18.
const libpq18 = "../../.cache/postgres18/native/lib"

// runLibpq18 is psql with the newest client library, which asks for what older
// ones cannot: protocol 3.2 with long cancel keys, channel binding as a must
// and, through weir, TLS from the first byte.
func runLibpq18(t *testing.T, e endpoint) []observation {
	lib, err := filepath.Abs(libpq18)
	if err != nil {
		t.Fatal(err)
	}
	e.extra = []string{"LD_LIBRARY_PATH=" + lib, "PGMAXPROTOCOLVERSION=latest", "PGCHANNELBINDING=require", "PGREQUIREAUTH=scram-sha-256"}
	if e.weir {
		e.extra = append(e.extra, "PGSSLNEGOTIATION=direct")
	}
	old := e
	old.extra = []string{"LD_LIBRARY_PATH=" + lib, "PGSSLNEGOTIATION=unknown"}
	if _, err := output(t, old, "", "psql", "-X", "-c", "SELECT 1"); err == nil || !strings.Contains(err.Error(), "sslnegotiation") {
		t.Fatalf("psql does not use the library in %s: %v", lib, err)
	}
	seen := psqlScript(t, e, psqlRead)
	if e.weir {
		psqlInterrupted(t, e)
	}
	return seen
}

func psqlScript(t *testing.T, e endpoint, script string) []observation {
	t.Helper()
	out, err := output(t, e, script, "psql", "-X", "-q")
	if err != nil {
		t.Fatal(err)
	}
	var seen []observation
	for part := range strings.SplitSeq("\n"+out, "\n"+section) {
		step, body, ok := strings.Cut(part, "\n")
		switch {
		case !ok || step == "":
		case asText[step]:
			seen = append(seen, observation{step, strings.TrimSuffix(body, "\n")})
		default:
			if body != "" && !strings.HasSuffix(body, "\n") {
				body += "\n"
			}
			seen = append(seen, observation{step, plain(copied(body))})
		}
	}
	return seen
}

// psqlInterrupted sends Ctrl-C: the client asks for a cancel on a connection of its own.
func psqlInterrupted(t *testing.T, e endpoint) {
	t.Helper()
	admin := e
	admin.user, admin.password = e.admin, e.adminPW
	cmd := exec.CommandContext(t.Context(), "psql", "-X", "-A", "-t", "-c", "SELECT 'ready'", "-c", "SELECT pg_sleep(60)")
	cmd.Env = admin.env()
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// Until it is logged in, psql has no statement to cancel and dies of the signal.
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("psql said %q: %v", line, err)
	}
	time.Sleep(500 * time.Millisecond)
	began := time.Now()
	_ = cmd.Process.Signal(os.Signal(syscall.SIGINT))
	err = cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || !strings.Contains(stderr.String(), "canceling statement due to user request") || time.Since(began) > 20*time.Second {
		t.Errorf("an interrupted psql ended with %v after %v: %s", err, time.Since(began), stderr.String())
	}
}

// psqlPlaintext shows that TLS is not optional.
func psqlPlaintext(t *testing.T, e endpoint) {
	t.Helper()
	out, err := output(t, e, "", "psql", "-X", fmt.Sprintf("host=%s sslmode=disable", host), "-c", "SELECT 1")
	if err == nil {
		t.Errorf("psql without TLS was let in: %s", out)
	}
}
