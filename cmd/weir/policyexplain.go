package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"github.com/weirdb/weir/audit"
	"github.com/weirdb/weir/auth"
	"github.com/weirdb/weir/configs"
	"github.com/weirdb/weir/masking"
	"github.com/weirdb/weir/policy"
	"github.com/weirdb/weir/proxy/gate"
	"github.com/weirdb/weir/proxy/mysession"
	"github.com/weirdb/weir/proxy/pgsession"
	"github.com/weirdb/weir/query"
	"github.com/weirdb/weir/query/mysql"
	"github.com/weirdb/weir/query/pgsql"
	"github.com/weirdb/weir/secrets"
	"github.com/weirdb/weir/store"
)

func newPolicyExplain() *cobra.Command {
	var path, user, datasource, output string
	cmd := &cobra.Command{Use: "explain SQL", Short: "Show what a person may do with a statement, and why", Args: cobra.ExactArgs(1),
		Long: `Explain reads the datasource's catalog, analyses the statement, decides it for the
user and shows the facts, the decision, and the grants, tags and masks behind it.
Nothing is executed or recorded.

Exit status: 0 allowed, 1 refused, 2 it could not be found out.`,
		Example: `  weir policy explain --user ana --datasource shop "SELECT email FROM customers WHERE id = 1"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			x, err := explain(cmd.Context(), path, user, datasource, args[0])
			if err != nil {
				fmt.Fprintf(cmd.ErrOrStderr(), "weir policy explain: %v\n", err)
				return exitError(2)
			}
			status := 0
			for _, s := range x.Statements {
				if s.Denial != nil {
					status = 1
				}
			}
			return printed(cmd, output, x, x.write, status)
		}}
	configFlag(cmd, &path)
	cmd.Flags().StringVar(&user, "user", "", "name of the user")
	cmd.Flags().StringVar(&datasource, "datasource", "", "name of the datasource")
	_ = cmd.MarkFlagRequired("user")       // both are defined above
	_ = cmd.MarkFlagRequired("datasource") //
	outputFlag(cmd, &output)
	return cmd
}

// explained is what `weir policy explain` shows.
type explained struct {
	User       string               `json:"user"`
	Datasource string               `json:"datasource"`
	Statements []explainedStatement `json:"statements"`
}

type explainedStatement struct {
	SQL         string              `json:"sql"`
	Facts       *query.Facts        `json:"facts"`
	Input       *policy.Input       `json:"input"`
	Masks       []string            `json:"masks"`
	Rewritten   string              `json:"rewritten,omitempty"` // what runs instead
	Denial      *explainedDenial    `json:"denial"`
	Explanation *policy.Explanation `json:"explanation,omitempty"`
}

type explainedDenial struct {
	Rule    string `json:"rule"`
	Message string `json:"message"`
	Detail  string `json:"detail,omitempty"`
	Hint    string `json:"hint,omitempty"`
	Pos     int    `json:"position"` // byte offset in the statement, -1 if unknown
}

func explain(ctx context.Context, path, user, datasource, sql string) (*explained, error) {
	config, faults, err := loadConfig(path)
	if err == nil && len(faults) > 0 {
		err = faults
	}
	if err != nil {
		return nil, err
	}
	var d *configs.Datasource
	for i := range config.Datasources {
		if config.Datasources[i].Name == datasource {
			d = &config.Datasources[i]
		}
	}
	if d == nil {
		return nil, fmt.Errorf("datasource %q is not in %s", datasource, path)
	}
	person, err := lookupPerson(ctx, config, user)
	if err != nil {
		return nil, err
	}
	resolver, err := newResolver(config, nil)
	if err != nil {
		return nil, err
	}
	engine, err := openPolicy(ctx, config, resolver, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return nil, errors.Join(err, resolver.Close())
	}
	x, err := explainWith(ctx, engine, person, d, resolver, sql)
	return x, errors.Join(err, engine.Close(), resolver.Close())
}

func lookupPerson(ctx context.Context, config *configs.Config, name string) (store.User, error) {
	s, err := openStoreAlone(ctx, config)
	if err != nil {
		return store.User{}, err
	}
	u, err := s.LookupUser(ctx, name)
	return u, errors.Join(err, s.Close())
}

// nothing records nothing: explaining leaves no trace.
type nothing struct{}

func (nothing) Append(context.Context, *audit.Event) error { return nil }

func (nothing) Post(context.Context, *audit.Event, func(error)) error { return nil }

func explainWith(ctx context.Context, engine *policy.Engine, u store.User, d *configs.Datasource, resolver *secrets.Resolver, sql string) (*explained, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	examine := examinePostgres
	if d.Engine != enginePostgres {
		examine = examineMySQL
	}
	found, err := examine(ctx, d, resolver, sql)
	if err != nil {
		return nil, err
	}
	session := gate.New(gate.Options{Policy: engine, Journal: nothing{}}).Examine(gate.Subject{
		Identity: auth.Identity{ID: u.ID, Name: u.Name, Source: u.Source, Groups: u.Groups, GlobalRole: u.GlobalRole, ProjectRoles: u.ProjectRoles,
			Method: auth.MethodSCRAM, Authenticated: time.Now()},
		SessionID: "explain", Application: "weir policy explain", TLS: true, Type: found.types, Target: target(d, found.database)})
	x := &explained{User: u.Name, Datasource: d.Name}
	for _, stmt := range found.statements {
		span := stmt.Facts.Span
		text := sql[span.Start:span.End]
		stmt.SQL = text
		in, ticket, denial := session.Explain(ctx, stmt)
		one := explainedStatement{SQL: text, Facts: stmt.Facts, Input: in, Masks: []string{}}
		for _, m := range ticket.Masks {
			one.Masks = append(one.Masks, fmt.Sprintf("%s.%s.%s: %s", m.Column.Schema, m.Column.Table, m.Column.Column, m.Spec.Function))
		}
		if ticket.Rewritten != nil && denial == nil {
			one.Rewritten = ticket.Rewritten.SQL
		}
		if denial != nil {
			one.Denial = &explainedDenial{Rule: denial.Rule, Message: denial.Message, Detail: denial.Detail, Hint: denial.Hint, Pos: -1}
			if at := denial.Pos - span.Start; at >= 0 && at <= len(text) {
				one.Denial.Pos = at
			}
		}
		if one.Explanation, err = engine.Explain(ctx, in); err != nil {
			return nil, err
		}
		x.Statements = append(x.Statements, one)
	}
	return x, nil
}

// examined is a text as a datasource's analyser sees it in a fresh session.
type examined struct {
	statements []gate.Statement // without SQL
	types      func(uint32) masking.Type
	database   string
}

func examinePostgres(ctx context.Context, d *configs.Datasource, resolver *secrets.Resolver, sql string) (*examined, error) {
	l, err := newLogin(ctx, d, resolver)
	if err != nil {
		return nil, err
	}
	conn, err := connectCatalog(ctx, l)
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	catalog, err := pgsql.Load(ctx, conn.PgConn(), nil)
	if err != nil {
		return nil, err
	}
	state, err := freshState(ctx, conn)
	if err != nil {
		return nil, err
	}
	analyzer := pgsql.NewAnalyzer(pgsql.Options{SafeFunctions: d.SafeFunctions})
	x := &examined{types: pgsession.TypeOf(catalog), database: d.Database}
	if x.database == "" {
		x.database = d.Name
	}
	analysis := analyzer.Analyze(sql, catalog, state)
	for i := range analysis.Statements {
		stmt := gate.Statement{Facts: &analysis.Statements[i].Facts, Universe: func() []query.Table { return analyzer.Universe(catalog) },
			Rewrite: func(rw query.Rewrite) (*query.Rewritten, error) {
				r, err := analyzer.Rewrite(sql, i, catalog, state, rw)
				if err != nil {
					return nil, err
				}
				return &r.Rewritten, nil
			}}
		if pgsql.ReadsSizes(stmt.Facts) {
			stmt.Sizes = func() []query.Sized { return analyzer.SizesOf(catalog) }
		}
		x.statements = append(x.statements, stmt)
	}
	return x, nil
}

func examineMySQL(ctx context.Context, d *configs.Datasource, resolver *secrets.Resolver, sql string) (*examined, error) {
	l, err := newLogin(ctx, d, resolver)
	if err != nil {
		return nil, err
	}
	conn, err := connectMySQLCatalog(ctx, l)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	mode := ""
	if err := conn.Query(ctx, "SELECT @@global.sql_mode", func(cells [][]byte) error {
		mode = string(cells[0])
		return nil
	}); err != nil {
		return nil, err
	}
	catalog, err := mysql.Load(ctx, conn, nil)
	if err != nil {
		return nil, err
	}
	state := &mysql.State{Database: d.Database, SQLMode: mysql.ParseSQLMode(mode), ClientCharset: "utf8mb4", ConnectionCharset: "utf8mb4", ResultsCharset: "utf8mb4"}
	analyzer := mysql.NewAnalyzer(mysql.Options{SafeFunctions: d.SafeFunctions})
	x := &examined{types: mysession.TypeOf, database: d.Database}
	analysis := analyzer.Analyze(sql, catalog, state)
	for i := range analysis.Statements {
		x.statements = append(x.statements, gate.Statement{Facts: &analysis.Statements[i].Facts, Reorders: true,
			Universe: func() []query.Table { return analyzer.Universe(catalog) },
			Rewrite: func(rw query.Rewrite) (*query.Rewritten, error) {
				return analyzer.Rewrite(sql, i, catalog, state, rw)
			}})
	}
	return x, nil
}

// freshState is the state of a session that has done nothing yet.
func freshState(ctx context.Context, conn *pgx.Conn) (*pgsql.State, error) {
	results, err := conn.PgConn().Exec(ctx, pgsql.StateProbe).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read the session's state: %w", err)
	}
	rows := make([][][]byte, 0, 16)
	for _, r := range results {
		rows = append(rows, r.Rows...)
	}
	return pgsql.DecodeProbe(rows)
}

func (x *explained) write(w io.Writer) error {
	for i := range x.Statements {
		s := &x.Statements[i]
		fmt.Fprintf(w, "%s on %s:\n%s", x.User, x.Datasource, s.pointed())
		s.writeVerdict(w)
		fmt.Fprintf(w, "  facts     class %s, verbs %s, complete %v\n", s.Facts.Class, strings.Join(s.Facts.Verbs, ", "), s.Facts.Complete)
		for _, t := range s.Facts.Tables {
			fmt.Fprintf(w, "  reads     %s.%s (%s; %s)\n", t.Schema, t.Name, t.Kind, strings.Join(t.Access, ", "))
			for _, c := range t.Columns {
				fmt.Fprintf(w, "              %s: %s\n", c.Name, strings.Join(c.Uses.Names(), ", "))
			}
		}
		for _, g := range s.Facts.Gaps {
			fmt.Fprintf(w, "  gap       %s\n", g.Reason)
		}
		if err := s.Explanation.WriteText(w); err != nil {
			return err
		}
	}
	return nil
}

func (s *explainedStatement) writeVerdict(w io.Writer) {
	d := s.Denial
	if d == nil {
		fmt.Fprintf(w, "  ALLOWED   %s\n", strings.Join(append([]string{"masks:"}, s.Masks...), " "))
		if s.Rewritten != "" {
			fmt.Fprintf(w, "  runs as   %s\n", s.Rewritten)
		}
		return
	}
	fmt.Fprintf(w, "  REFUSED   %s (rule %s)\n", d.Message, d.Rule)
	for _, line := range []struct{ name, text string }{{"detail", d.Detail}, {"hint", d.Hint}} {
		if line.text != "" {
			fmt.Fprintf(w, "  %-9s %s\n", line.name, line.text)
		}
	}
}

// pointed is the statement's text, with a caret under the place that a denial
// is about.
func (s *explainedStatement) pointed() string {
	at := -1
	if s.Denial != nil {
		at = s.Denial.Pos
	}
	var b strings.Builder
	start := 0
	for line := range strings.Lines(s.SQL) {
		end := start + len(line)
		line = strings.TrimRight(line, "\r\n")
		b.WriteString("  " + line + "\n")
		if at >= start && (at < end || end == len(s.SQL)) {
			b.WriteString("  " + blanks(line[:min(at-start, len(line))]) + "^\n")
			at = -1
		}
		start = end
	}
	return b.String()
}

// blanks is as wide as text, of one cell for each character; tabs stay.
func blanks(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(text, string(utf8.RuneError)))
}
