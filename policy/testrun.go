package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/tester"
)

// testTimeout bounds one Rego test.
const testTimeout = 10 * time.Second

// TestReport is what the tests of a policy said.
type TestReport struct {
	Tests    []TestResult `json:"tests"`
	Passed   int          `json:"passed"`
	Failed   int          `json:"failed"`
	Skipped  int          `json:"skipped"` // named todo_test_…
	Coverage *Coverage    `json:"coverage,omitempty"`
}

// TestResult is one Rego test.
type TestResult struct {
	Position
	Package string `json:"package"`
	Name    string `json:"name"`
	Passed  bool   `json:"passed"`
	Skipped bool   `json:"skipped,omitempty"`
	Error   string `json:"error,omitempty"`
	Output  string `json:"output,omitempty"` // of print()
	Micros  int64  `json:"microseconds"`
}

// Coverage tells which expressions the tests evaluated.
type Coverage struct {
	Percent float64        `json:"percent"`
	Files   []FileCoverage `json:"files"`
}

// FileCoverage is the coverage of one module.
type FileCoverage struct {
	File       string  `json:"file"`
	Percent    float64 `json:"percent"`
	NotCovered []int   `json:"not_covered,omitempty"` // lines
}

// Exit codes of the commands over policies.
const (
	ExitOK     = 0
	ExitFailed = 1 // a test failed, or lint has errors
	ExitBroken = 2 // the policy does not load
)

// TestOptions says what to test.
type TestOptions struct {
	Coverage bool
	Run      string // regular expression over test names; empty is all
}

// RunTests runs the *_test.rego of the policy that o names. An error means that
// the policy does not load.
func RunTests(ctx context.Context, o Options, t TestOptions) (*TestReport, error) {
	c, data, err := fetchOnce(ctx, &o)
	if err != nil {
		return nil, err
	}
	return runTests(ctx, c, data, t)
}

// fetchOnce reads a policy without opening an engine.
func fetchOnce(ctx context.Context, o *Options) (*contents, *policyData, error) {
	src, err := o.source()
	if err != nil {
		return nil, nil, err
	}
	c, err := src.fetch(ctx, true)
	if err != nil {
		return nil, nil, err
	}
	data, err := loadData(c, o.ValidateMask)
	if err != nil {
		return nil, nil, err
	}
	return c, data, nil
}

func runTests(ctx context.Context, c *contents, data *policyData, t TestOptions) (*TestReport, error) {
	if _, err := compile(ctx, c, data, true); err != nil {
		return nil, err
	}
	modules, err := modulesOf(c, true)
	if err != nil {
		return nil, err
	}
	store, err := newStore(c, data)
	if err != nil {
		return nil, err
	}
	schemas, err := schemaSet()
	if err != nil {
		return nil, err
	}
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return nil, err
	}
	defer store.Abort(ctx, txn)
	coverage := cover.New()
	runner := tester.NewRunner().
		SetCompiler(newCompiler(schemas).WithEnablePrintStatements(true)).
		SetStore(store).
		SetModules(modules).
		SetTimeout(testTimeout).
		CapturePrintOutput(true).
		RaiseBuiltinErrors(true).
		SetParallel(1).
		Filter(t.Run)
	if t.Coverage {
		runner = runner.SetCoverageQueryTracer(coverage)
	}
	results, err := runner.RunTests(ctx, txn)
	if err != nil {
		return nil, fmt.Errorf("run policy tests: %w", err)
	}
	report := &TestReport{}
	for r := range results {
		report.add(r)
	}
	slices.SortFunc(report.Tests, func(a, b TestResult) int {
		if c := strings.Compare(a.File, b.File); c != 0 {
			return c
		}
		return a.Line - b.Line
	})
	if t.Coverage {
		report.Coverage = coverageOf(coverage.Report(modules))
	}
	return report, ctx.Err()
}

func (r *TestReport) add(t *tester.Result) {
	out := TestResult{
		Position: Position{File: t.Location.File, Line: t.Location.Row},
		Package:  t.Package, Name: t.Name, Passed: t.Pass(), Skipped: t.Skip,
		Output: string(t.Output), Micros: t.Duration.Microseconds(),
	}
	if t.Error != nil {
		out.Error = t.Error.Error()
	}
	switch {
	case t.Skip:
		r.Skipped++
	case t.Pass():
		r.Passed++
	default:
		r.Failed++
	}
	r.Tests = append(r.Tests, out)
}

func coverageOf(report cover.Report) *Coverage {
	c := &Coverage{}
	covered, total := 0, 0
	for name, f := range report.Files {
		if isTest(name) {
			continue
		}
		covered += f.CoveredLines
		total += f.CoveredLines + f.NotCoveredLines
		file := FileCoverage{File: name, Percent: f.Coverage}
		for _, r := range f.NotCovered {
			for line := r.Start.Row; line <= r.End.Row; line++ {
				file.NotCovered = append(file.NotCovered, line)
			}
		}
		c.Files = append(c.Files, file)
	}
	if total > 0 {
		c.Percent = 100 * float64(covered) / float64(total)
	}
	slices.SortFunc(c.Files, func(a, b FileCoverage) int { return strings.Compare(a.File, b.File) })
	return c
}

// ExitCode is ExitFailed if a test failed.
func (r *TestReport) ExitCode() int {
	if r.Failed > 0 {
		return ExitFailed
	}
	return ExitOK
}

// WriteText prints the report for people: what failed, then a line of counts.
func (r *TestReport) WriteText(w io.Writer) error {
	var b strings.Builder
	for _, t := range r.Tests {
		switch {
		case t.Skipped:
			fmt.Fprintf(&b, "skipped  %s: %s.%s\n", t.Position, t.Package, t.Name)
		case !t.Passed:
			fmt.Fprintf(&b, "FAILED   %s: %s.%s\n", t.Position, t.Package, t.Name)
			if t.Error != "" {
				fmt.Fprintf(&b, "         %s\n", t.Error)
			}
		}
		if t.Output != "" && !t.Passed {
			fmt.Fprintf(&b, "         %s\n", strings.ReplaceAll(strings.TrimRight(t.Output, "\n"), "\n", "\n         "))
		}
	}
	if r.Coverage != nil {
		for _, f := range r.Coverage.Files {
			fmt.Fprintf(&b, "%5.1f %%  %s", f.Percent, f.File)
			if len(f.NotCovered) > 0 {
				fmt.Fprintf(&b, "  not covered: lines %s", ranges(f.NotCovered))
			}
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%5.1f %%  in all\n", r.Coverage.Percent)
	}
	fmt.Fprintf(&b, "%d passed, %d failed, %d skipped\n", r.Passed, r.Failed, r.Skipped)
	_, err := io.WriteString(w, b.String())
	return err
}

// ranges writes ascending lines as "3-5, 9".
func ranges(lines []int) string {
	var parts []string
	for i := 0; i < len(lines); {
		j := i
		for j+1 < len(lines) && lines[j+1] <= lines[j]+1 {
			j++
		}
		part := fmt.Sprint(lines[i])
		if lines[j] > lines[i] {
			part = fmt.Sprintf("%d-%d", lines[i], lines[j])
		}
		parts = append(parts, part)
		i = j + 1
	}
	return strings.Join(parts, ", ")
}

// WriteJSON prints the report as one JSON document.
func (r *TestReport) WriteJSON(w io.Writer) error { return writeJSON(w, r) }

func writeJSON(w io.Writer, x any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(x)
}

// testContents runs the tests of a policy that is about to come into force.
func testContents(ctx context.Context, c *contents, data *policyData) error {
	if !slices.ContainsFunc(c.modules, func(m dataFile) bool { return isTest(m.Name) }) {
		return nil
	}
	report, err := runTests(ctx, c, data, TestOptions{})
	if err != nil {
		return err
	}
	var errs []error
	for _, t := range report.Tests {
		if !t.Passed && !t.Skipped {
			errs = append(errs, fmt.Errorf("%s: test %s.%s failed", t.Position, t.Package, t.Name))
		}
	}
	return errors.Join(errs...)
}
