package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/weirdb/weir/masking"
	"github.com/weirdb/weir/policy"
	"github.com/weirdb/weir/query/pgsql"
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
	var config, columns, output string
	cmd := &cobra.Command{Use: "lint", Short: "Find what is wrong or pointless in a policy", Args: cobra.NoArgs,
		Long: `Lint compiles the policy strictly and looks for faults, for rules without effect and
for row filters that depend on protected columns. With --config it compares the
policy with weir's groups, with --columns with the columns that there are: a line
schema.table.column for each, names with dots in double quotes.

Exit status: 0 no errors, 1 errors, 2 the policy cannot be read.`,
		Example: `  weir policy lint --folder policy/
  psql -Atc "SELECT table_schema||'.'||table_name||'.'||column_name FROM information_schema.columns" > columns
  weir policy lint --folder policy/ --config weir.yaml --columns columns`}
	options := policyFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		compare, err := lintOptions(cmd.Context(), config, columns)
		var report *policy.LintReport
		if err == nil {
			report, err = policy.Lint(cmd.Context(), options(), compare)
		}
		if err != nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "weir policy lint: %v\n", err)
			return exitError(policy.ExitBroken)
		}
		return printed(cmd, output, report, report.WriteText, report.ExitCode())
	}
	cmd.Flags().StringVarP(&config, "config", "c", "", "configuration file, to compare with weir's groups")
	cmd.Flags().StringVar(&columns, "columns", "", "file with the columns that there are")
	outputFlag(cmd, &output)
	return cmd
}

// lintOptions reads what a policy is compared with. Files that are not named
// are not compared.
func lintOptions(ctx context.Context, config, columns string) (policy.LintOptions, error) {
	o := policy.LintOptions{FilterColumns: pgsql.FilterColumns}
	if columns != "" {
		f, err := os.Open(columns)
		if err != nil {
			return o, err
		}
		defer f.Close()
		if o.Columns, err = policy.ReadColumns(f); err != nil {
			return o, fmt.Errorf("%s: %w", columns, err)
		}
	}
	if config == "" {
		return o, nil
	}
	c, faults, err := loadConfig(config)
	if err == nil && len(faults) > 0 {
		err = faults
	}
	if err != nil {
		return o, err
	}
	s, err := openStoreAlone(ctx, c)
	if err != nil {
		return o, err
	}
	groups, err := s.ListGroups(ctx)
	o.Groups = []string{}
	for _, g := range groups {
		o.Groups = append(o.Groups, g.Name)
	}
	return o, errors.Join(err, s.Close())
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
