package policy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Severity of a finding.
type Severity string

// The severities. An error keeps the policy from loading, or a rule from ever
// being applied.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
)

// Finding is something that lint noticed.
type Finding struct {
	Position
	Severity Severity `json:"severity"`
	Rule     string   `json:"rule"`
	Message  string   `json:"message"`
}

// LintReport lists findings in the order of their positions.
type LintReport struct {
	Findings []Finding `json:"findings"`
	Errors   int       `json:"errors"`
	Warnings int       `json:"warnings"`
}

// ColumnName is a column that exists.
type ColumnName struct{ Schema, Table, Column string }

// LintOptions is what lint may compare the policy with. Nil lists are not
// compared.
type LintOptions struct {
	Columns []ColumnName // every column of the datasources
	Groups  []string     // every group
	// FilterColumns reads a row filter in the language of the datasources and
	// names the columns that it mentions, "*" for all; nil reads none.
	FilterColumns func(expression string) ([]string, error)
}

// Lint looks for what is wrong or pointless in the policy that o names. An error
// means that the policy could not be read at all.
func Lint(ctx context.Context, o Options, l LintOptions) (*LintReport, error) {
	src, err := o.source()
	if err != nil {
		return nil, err
	}
	c, err := src.fetch(ctx, true)
	if err != nil {
		return nil, err
	}
	r := &LintReport{Findings: []Finding{}}
	data, err := loadData(c, o.ValidateMask)
	if err != nil {
		r.fail(err)
		data = emptyData() // so that Rego is looked at all the same
	} else {
		lintMasks(r, data)
		lintTags(r, data, l.Columns)
		lintGroups(r, data, l.Groups)
		lintFilters(r, data, l.FilterColumns)
	}
	if _, err := compile(ctx, c, data, true); err != nil {
		r.fail(err)
	}
	r.finish()
	return r, nil
}

func emptyData() *policyData {
	b := dataBuilder{doc: &Document{}, faults: &faults{}, tags: newTagIndex()}
	b.build()
	return &policyData{set: b.set, tags: b.tags}
}

// fail takes the faults of a policy that does not load.
func (r *LintReport) fail(err error) {
	var data *DataError
	var rego ast.Errors
	switch {
	case errors.As(err, &data):
		for _, f := range data.Faults {
			r.add(f.Position, SeverityError, "data", "%s", strings.TrimPrefix(Fault{Path: f.Path, Message: f.Message}.String(), ": "))
		}
	case errors.As(err, &rego):
		for _, e := range rego {
			var pos Position
			if e.Location != nil {
				pos = Position{File: e.Location.File, Line: e.Location.Row}
			}
			r.add(pos, SeverityError, e.Code, "%s", regoMessage(e))
		}
	default:
		r.add(Position{}, SeverityError, "load", "%s", err)
	}
}

func regoMessage(e *ast.Error) string {
	if e.Details == nil {
		return e.Message
	}
	return e.Message + " " + strings.Join(e.Details.Lines(), " ")
}

func (r *LintReport) add(pos Position, s Severity, rule, format string, args ...any) {
	r.Findings = append(r.Findings, Finding{Position: pos, Severity: s, Rule: rule, Message: fmt.Sprintf(format, args...)})
}

func (r *LintReport) finish() {
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		if c := strings.Compare(a.File, b.File); c != 0 {
			return c
		}
		return a.Line - b.Line
	})
	for _, f := range r.Findings {
		if f.Severity == SeverityError {
			r.Errors++
		} else {
			r.Warnings++
		}
	}
}

// lintMasks reports rules that can never decide and tags without a mask.
func lintMasks(r *LintReport, d *policyData) {
	given := map[string]bool{}
	for i := range d.doc.Tags {
		given[d.doc.Tags[i].Tag] = true
	}
	reached := map[string]bool{} // by source of the rule
	for _, tag := range d.knownTags {
		rules := d.set.Masks[tag]
		if given[tag] && len(rules) == 0 {
			r.add(firstTag(d, tag), SeverityWarning, "tag-without-mask", "no mask rule for %s: its columns are masked with null", tag)
		}
		for i, m := range rules {
			if given[tag] && !slices.ContainsFunc(rules[:i], func(e maskData) bool { return shadows(e, m) }) {
				reached[m.Source] = true
			}
		}
	}
	for i := range d.doc.Masks {
		m := &d.doc.Masks[i]
		p, err := tagPattern(m.Tag)
		if err != nil || reached[m.Pos.String()] {
			continue
		}
		used := false
		for tag := range given {
			used = used || p.match(tag)
		}
		if used {
			r.add(m.Pos, SeverityWarning, "shadowed-mask", "an earlier rule for %s matches whenever this one does", m.Tag)
		} else {
			r.add(m.Pos, SeverityWarning, "unused-mask", "no tag rule gives %s", m.Tag)
		}
	}
	for i := range d.doc.Grants {
		g := &d.doc.Grants[i]
		for _, x := range g.Unmasked {
			p, err := tagPattern(x)
			if err == nil && !p.any() && !slices.ContainsFunc(d.knownTags, p.match) {
				r.add(g.Pos, SeverityWarning, "unused-unmasked", "grant %s unmasks %s, which is no tag", g.Name, x)
			}
		}
	}
}

func firstTag(d *policyData, tag string) Position {
	for i := range d.doc.Tags {
		if d.doc.Tags[i].Tag == tag {
			return d.doc.Tags[i].Pos
		}
	}
	return Position{}
}

// shadows says that wherever later matches, earlier does.
func shadows(earlier, later maskData) bool {
	return includesWho(earlier.Who, later.Who) &&
		includes(earlier.Target.Projects, later.Target.Projects) &&
		includes(earlier.Target.Datasources, later.Target.Datasources) &&
		includes(earlier.Target.Environments, later.Target.Environments) &&
		includes(earlier.Target.Databases, later.Target.Databases)
}

func includesWho(a, b whoData) bool {
	if !includes(a.Sources, b.Sources) {
		return false
	}
	if a.Principals["everyone"] {
		return true
	}
	for p := range b.Principals {
		if !a.Principals[p] {
			return false
		}
	}
	return true
}

// includes says that a restricts no more than b; an empty set does not restrict.
func includes(a, b set) bool {
	if len(a) == 0 {
		return true
	}
	for x := range b {
		if !a[x] {
			return false
		}
	}
	return len(b) > 0
}

// lintTags reports tag rules that tag no existing column.
func lintTags(r *LintReport, d *policyData, columns []ColumnName) {
	if columns == nil {
		return
	}
	for i := range d.doc.Tags {
		t := &d.doc.Tags[i]
		for _, text := range t.Columns {
			parts, err := dotted(text, 3, true, true)
			if err != nil {
				continue // reported when the data was read
			}
			if !slices.ContainsFunc(columns, func(c ColumnName) bool {
				return parts[0].match(strings.ToLower(c.Schema)) && parts[1].match(strings.ToLower(c.Table)) &&
					parts[2].match(strings.ToLower(c.Column))
			}) {
				r.add(t.Pos, SeverityWarning, "unused-tag", "%s for %s matches no column", text, t.Tag)
			}
		}
	}
}

// lintGroups reports groups that do not exist.
func lintGroups(r *LintReport, d *policyData, groups []string) {
	if groups == nil {
		return
	}
	check := func(w *Who, what string) {
		if w == nil {
			return
		}
		for _, g := range w.Groups {
			if !slices.Contains(groups, g) {
				r.add(w.Pos, SeverityWarning, "unknown-group", "%s names the group %s, which does not exist", what, g)
			}
		}
	}
	for i := range d.doc.Grants {
		check(d.doc.Grants[i].Who, "grant "+d.doc.Grants[i].Name)
	}
	for i := range d.doc.Masks {
		check(d.doc.Masks[i].Who, "the mask of "+d.doc.Masks[i].Tag)
		check(d.doc.Masks[i].Unmasked, "the mask of "+d.doc.Masks[i].Tag)
	}
	for i := range d.doc.RowFilters {
		check(d.doc.RowFilters[i].Who, "the row filter of "+d.doc.RowFilters[i].Table)
		check(d.doc.RowFilters[i].Except, "the row filter of "+d.doc.RowFilters[i].Table)
	}
	for i := range d.doc.ReadOnly {
		check(d.doc.ReadOnly[i].Who, "a read_only rule")
	}
}

// lintFilters reports row filters that are no expression, and those that depend
// on a protected column: which rows somebody sees then tells of its values.
func lintFilters(r *LintReport, d *policyData, columns func(string) ([]string, error)) {
	if columns == nil {
		return
	}
	for i := range d.doc.RowFilters {
		f := &d.doc.RowFilters[i]
		names, err := columns(f.Expression)
		if err != nil {
			r.add(f.Pos, SeverityError, "row-filter-syntax", "the filter of %s cannot be read, so that every statement on it is refused: %s", f.Table, err)
			continue
		}
		table, err := dotted(f.Table, 2, false, true)
		if err != nil {
			continue // reported when the data was read
		}
		for _, name := range names {
			if tag := d.tags.protecting(table, strings.ToLower(name)); tag != "" {
				r.add(f.Pos, SeverityWarning, "filter-reads-tagged", "the filter of %s reads %s, which is %s: which rows are shown tells of its values",
					f.Table, name, tag)
			}
		}
	}
}

// ExitCode is ExitFailed if there are errors.
func (r *LintReport) ExitCode() int {
	if r.Errors > 0 {
		return ExitFailed
	}
	return ExitOK
}

// WriteText prints one line per finding and a line of counts.
func (r *LintReport) WriteText(w io.Writer) error {
	var b strings.Builder
	for _, f := range r.Findings {
		if pos := f.Position.String(); pos != "" {
			b.WriteString(pos + ": ")
		}
		fmt.Fprintf(&b, "%s: %s [%s]\n", f.Severity, f.Message, f.Rule)
	}
	fmt.Fprintf(&b, "%d errors, %d warnings\n", r.Errors, r.Warnings)
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteJSON prints the report as one JSON document.
func (r *LintReport) WriteJSON(w io.Writer) error { return writeJSON(w, r) }

// ReadColumns reads a column list for lint: a line "schema.table.column" each,
// names with dots in double quotes. Empty lines and lines from "#" are skipped.
func ReadColumns(r io.Reader) ([]ColumnName, error) {
	columns := []ColumnName{}
	scanner := bufio.NewScanner(r)
	for n := 1; scanner.Scan(); n++ {
		line := strings.TrimSpace(scanner.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		parts, err := dotted(line, 3, false, false)
		if err != nil {
			return nil, fmt.Errorf("read columns: line %d: %w", n, err)
		}
		columns = append(columns, ColumnName{parts[0].text, parts[1].text, parts[2].text})
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("read columns: %w", err)
	}
	return columns, nil
}
