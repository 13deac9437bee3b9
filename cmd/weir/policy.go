package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"github.com/weirdb/weir/audit"
	"github.com/weirdb/weir/auth"
	"github.com/weirdb/weir/configs"
	"github.com/weirdb/weir/masking"
	"github.com/weirdb/weir/policy"
	"github.com/weirdb/weir/proxy/gate"
	"github.com/weirdb/weir/proxy/pgsession"
	"github.com/weirdb/weir/query"
	"github.com/weirdb/weir/query/pgsql"
	"github.com/weirdb/weir/secrets"
	"github.com/weirdb/weir/store"
)

func newPolicy() *cobra.Command {
	cmd := &cobra.Command{Use: "policy", Short: "Test, lint and explain policy"}
	cmd.AddCommand(newPolicyTest(), newPolicyLint(), newPolicyExplain())
	return cmd
}

// policyFlags add --folder, and return the options of that folder or of the
// shipped policy.
func policyFlags(cmd *cobra.Command) func() policy.Options {
	var folder string
	cmd.Flags().StringVar(&folder, "folder", "", "folder of the policy; the shipped policy if not given")
	return func() policy.Options {
		return policy.Options{Folder: folder, ValidateMask: func(function string, args map[string]any) error {
			return masking.Validate(masking.Spec{Function: function, Args: args})
		}}
	}
}

func newPolicyTest() *cobra.Command {
	var o policy.TestOptions
	var output string
	cmd := &cobra.Command{Use: "test", Short: "Run a policy's own tests", Args: cobra.NoArgs,
		Long:    "Test runs the rules named test_… in the policy's *_test.rego files.\n\nExit status: 0 all passed, 1 a test failed, 2 the policy does not load.",
		Example: "  weir policy test --folder policy/ --coverage"}
	options := policyFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		report, err := policy.RunTests(cmd.Context(), options(), o)
		if err != nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "weir policy test: %v\n", err)
			return exitError(policy.ExitBroken)
		}
		return printed(cmd, output, report, report.WriteText, report.ExitCode())
	}
	cmd.Flags().BoolVar(&o.Coverage, "coverage", false, "say which lines no test evaluated")
	cmd.Flags().StringVar(&o.Run, "run", "", "regular expression of the tests to run")
	outputFlag(cmd, &output)
	return cmd
}

func newPolicyLint() *cobra.Command {
	var output string
	cmd := &cobra.Command{Use: "lint", Short: "Find what is wrong or pointless in a policy", Args: cobra.NoArgs,
		Long:    "Lint compiles the policy strictly and looks for faults and for rules without effect.\n\nExit status: 0 no errors, 1 errors, 2 the policy cannot be read.",
		Example: "  weir policy lint --folder policy/"}
	options := policyFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		report, err := policy.Lint(cmd.Context(), options(), policy.LintOptions{})
		if err != nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "weir policy lint: %v\n", err)
			return exitError(policy.ExitBroken)
		}
		return printed(cmd, output, report, report.WriteText, report.ExitCode())
	}
	outputFlag(cmd, &output)
	return cmd
}

func printed(cmd *cobra.Command, output string, value any, write func(io.Writer) error, status int) error {
	var err error
	if output == "json" {
		err = writeJSON(cmd.OutOrStdout(), value)
	} else {
		err = write(cmd.OutOrStdout())
	}
	if err != nil {
		return err
	}
	return exited(status)
}

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
	Denial      *explainedDenial    `json:"denial"`
	Explanation *policy.Explanation `json:"explanation,omitempty"`
}

type explainedDenial struct {
	Rule    string `json:"rule"`
	Message string `json:"message"`
	Detail  string `json:"detail,omitempty"`
	Hint    string `json:"hint,omitempty"`
	Pos     int    `json:"position"` // byte offset in the text, -1 if unknown
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
	engine, err := openPolicy(ctx, config, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return nil, err
	}
	x, err := explainWith(ctx, engine, person, d, sql)
	return x, errors.Join(err, engine.Close())
}

func lookupPerson(ctx context.Context, config *configs.Config, name string) (store.User, error) {
	s, err := openStore(ctx, config, nil)
	if err != nil {
		return store.User{}, err
	}
	u, err := s.LookupUser(ctx, name)
	return u, errors.Join(err, s.Close())
}

// nothing records nothing: explaining leaves no trace.
type nothing struct{}

func (nothing) Append(context.Context, *audit.Event) error { return nil }

func explainWith(ctx context.Context, engine *policy.Engine, u store.User, d *configs.Datasource, sql string) (*explained, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	conn, err := connectCatalog(ctx, d, secrets.NewResolver())
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
	database := d.Database
	if database == "" {
		database = d.Name
	}
	session := gate.New(gate.Options{Policy: engine, Journal: nothing{}}).Examine(gate.Subject{
		Identity: auth.Identity{ID: u.ID, Name: u.Name, Source: u.Source, Groups: u.Groups, GlobalRole: u.GlobalRole, ProjectRoles: u.ProjectRoles,
			Method: auth.MethodSCRAM, Authenticated: time.Now()},
		SessionID: "explain", Application: "weir policy explain", TLS: true, Type: pgsession.TypeOf(catalog),
		Target: gate.Target{Project: d.Project, Datasource: d.Name, Engine: d.Engine, Environment: d.Environment, Database: database, ReadOnly: d.ReadOnly}})
	x := &explained{User: u.Name, Datasource: d.Name}
	analysis := analyzer.Analyze(sql, catalog, state)
	for i := range analysis.Statements {
		s := &analysis.Statements[i]
		text := sql[s.Span.Start:s.Span.End]
		in, ticket, denial := session.Explain(ctx, gate.Statement{SQL: text, Facts: &s.Facts, Universe: func() []query.Table { return analyzer.Universe(catalog) }})
		one := explainedStatement{SQL: text, Facts: &s.Facts, Input: in, Masks: []string{}}
		for _, m := range ticket.Masks {
			one.Masks = append(one.Masks, fmt.Sprintf("%s.%s.%s: %s", m.Column.Schema, m.Column.Table, m.Column.Column, m.Spec.Function))
		}
		if denial != nil {
			one.Denial = &explainedDenial{Rule: denial.Rule, Message: denial.Message, Detail: denial.Detail, Hint: denial.Hint, Pos: denial.Pos}
		}
		if one.Explanation, err = engine.Explain(ctx, in); err != nil {
			return nil, err
		}
		x.Statements = append(x.Statements, one)
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
	for _, s := range x.Statements {
		fmt.Fprintf(w, "%s on %s: %s\n", x.User, x.Datasource, strings.TrimSpace(s.SQL))
		if d := s.Denial; d != nil {
			fmt.Fprintf(w, "  REFUSED   %s (rule %s)\n", d.Message, d.Rule)
			if d.Pos >= 0 {
				fmt.Fprintf(w, "  at        byte %d of the text\n", d.Pos)
			}
			for _, line := range []struct{ name, text string }{{"detail", d.Detail}, {"hint", d.Hint}} {
				if line.text != "" {
					fmt.Fprintf(w, "  %-9s %s\n", line.name, line.text)
				}
			}
		} else {
			fmt.Fprintf(w, "  ALLOWED   %s\n", strings.Join(append([]string{"masks:"}, s.Masks...), " "))
		}
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
