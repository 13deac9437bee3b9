package audit

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Exit codes of the audit commands.
const (
	ExitGood       = 0
	ExitTampered   = 1
	ExitUnreadable = 2
)

// VerifyCommand is `weir audit verify`.
type VerifyCommand struct {
	Dir         string
	KeyFile     string   // public key, PEM; "": signing.pub in Dir
	OldKeyFiles []string // public keys of the time before
	AnchorFiles []string // copies of checkpoints.jsonl kept elsewhere
	JSON        bool
}

// Run verifies and prints the report to out; progress, if not nil, gets a line
// per segment. Errors go to errOut.
func (c VerifyCommand) Run(ctx context.Context, out, errOut, progress io.Writer) int {
	report, err := c.verify(ctx, progress)
	if err != nil {
		fmt.Fprintf(errOut, "weir audit verify: %v\n", explain(err))
		if report.OK() {
			return ExitUnreadable
		}
	}
	if c.JSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		err = enc.Encode(struct {
			OK bool `json:"ok"`
			Report
		}{report.OK() && err == nil, report})
	} else {
		_, err = io.WriteString(out, c.readable(&report))
	}
	switch {
	case !report.OK():
		return ExitTampered
	case err != nil:
		fmt.Fprintf(errOut, "weir audit verify: %v\n", err)
		return ExitUnreadable
	}
	return ExitGood
}

func (c VerifyCommand) verify(ctx context.Context, progress io.Writer) (Report, error) {
	var opts VerifyOptions
	keyFile := c.KeyFile
	if keyFile == "" {
		keyFile = filepath.Join(c.Dir, pubName)
	}
	pub, err := ReadPublicKey(keyFile)
	if err != nil {
		return Report{}, err
	}
	for _, f := range c.OldKeyFiles {
		old, err := ReadPublicKey(f)
		if err != nil {
			return Report{}, err
		}
		opts.OldKeys = append(opts.OldKeys, old)
	}
	for _, name := range c.AnchorFiles {
		f, err := os.Open(name)
		if err != nil {
			return Report{}, fmt.Errorf("read anchor: %w", err)
		}
		defer f.Close()
		opts.Anchors = append(opts.Anchors, f)
	}
	if progress != nil {
		last := 0
		opts.Progress = func(p Progress) {
			if p.Segment != last {
				last = p.Segment
				fmt.Fprintf(progress, "segment %d of %d, %d records\n", p.Segment, p.Segments, p.Records)
			}
		}
	}
	return Verify(ctx, c.Dir, pub, opts)
}

// explain adds to an error what a person can do about it.
func explain(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w (is this the journal's directory? if retention just removed a segment, run again)", err)
	}
	return err
}

// readable renders a report for people.
func (c VerifyCommand) readable(r *Report) string {
	var b strings.Builder
	verdict := "good"
	if !r.OK() {
		verdict = fmt.Sprintf("TAMPERED, %d faults", len(r.Faults)+r.More)
	}
	fmt.Fprintf(&b, "audit journal %s: %s\n", c.Dir, verdict)
	fmt.Fprintf(&b, "  journal    %s\n", clip(r.Journal))
	fmt.Fprintf(&b, "  records    %d in %d segments, %d to %d\n", r.Records, r.Segments, r.First, r.Last)
	fmt.Fprintf(&b, "  last hash  %s\n", r.LastHash)
	fmt.Fprintf(&b, "  signed     to record %d, %d checkpoints; %d records follow unsigned\n", r.SignedUntil, r.Checkpoints, r.Unsigned)
	if c.KeyFile == "" {
		fmt.Fprintf(&b, "  key        %s of the journal itself: whoever could replace the journal could replace it too; use a copy kept elsewhere\n", pubName)
	}
	if r.RemovedUntil > 0 {
		fmt.Fprintf(&b, "  retention  removed records to %d, signed\n", r.RemovedUntil)
	}
	if r.TornBytes > 0 {
		fmt.Fprintf(&b, "  last line  incomplete, %d bytes: a write in progress or a crash\n", r.TornBytes)
	}
	for _, s := range r.Recovered {
		fmt.Fprintf(&b, "  recovered  %s\n", printable(s, 200))
	}
	for _, f := range r.Faults {
		fmt.Fprintf(&b, "  %-10s %s: expected %s, found %s\n", f.Kind, f.place(), f.Want, f.Got)
	}
	if r.More > 0 {
		fmt.Fprintf(&b, "  and %d more\n", r.More)
	}
	return b.String()
}

func (f *Fault) place() string {
	switch {
	case f.Segment == 0:
		return "checkpoints"
	case f.Line == 0:
		return fmt.Sprintf("segment %d", f.Segment)
	}
	return fmt.Sprintf("segment %d, line %d, record %d", f.Segment, f.Line, f.Sequence)
}

// Format is how SearchCommand prints records.
type Format string

// The formats.
const (
	FormatText Format = "text" // a line for people
	FormatJSON Format = "json" // the records as they are, a line each
	FormatCSV  Format = "csv"  // the main fields, with a header
)

// SearchCommand is `weir audit search` and, with FormatJSON or FormatCSV and no
// limit, `weir audit export`.
type SearchCommand struct {
	Dir    string
	Query  Query
	Format Format // "": FormatText
}

// Run prints the records that the query selects to out.
func (c SearchCommand) Run(ctx context.Context, out, errOut io.Writer) int {
	buffered := bufio.NewWriter(out)
	emit, err := c.printer(buffered)
	if err == nil {
		err = Search(ctx, c.Dir, c.Query, emit)
	}
	if ferr := buffered.Flush(); err == nil {
		err = ferr
	}
	var skipped *SkippedError
	switch {
	case errors.As(err, &skipped):
		fmt.Fprintf(errOut, "weir audit: %v\n", err)
		return ExitTampered
	case err != nil:
		fmt.Fprintf(errOut, "weir audit: %v\n", explain(err))
		return ExitUnreadable
	}
	return ExitGood
}

// printer returns what prints one record in the command's format.
func (c SearchCommand) printer(w io.Writer) (func(Record) error, error) {
	switch c.Format {
	case FormatText, "":
		return func(r Record) error {
			_, err := io.WriteString(w, textLine(r))
			return err
		}, nil
	case FormatJSON:
		return func(r Record) error {
			if _, err := w.Write(r.Raw); err != nil {
				return err
			}
			_, err := io.WriteString(w, "\n")
			return err
		}, nil
	case FormatCSV:
		table := csv.NewWriter(w)
		if err := writeRow(table, csvHeader); err != nil {
			return nil, err
		}
		return func(r Record) error { return writeRow(table, csvRow(r)) }, nil
	}
	return nil, fmt.Errorf("unknown format %q: text, json or csv", c.Format)
}

func writeRow(table *csv.Writer, row []string) error {
	if err := table.Write(row); err != nil {
		return err
	}
	table.Flush()
	return table.Error()
}

// textLine renders a record for people, safe for a terminal.
func textLine(r Record) string {
	e := r.Event
	var b strings.Builder
	fmt.Fprintf(&b, "%s %d %s", e.Time.UTC().Format("2006-01-02 15:04:05.000"), r.Sequence, printable(string(e.Kind), 24))
	word := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, " %s=%s", name, printable(value, 200))
		}
	}
	word("user", e.UserName)
	word("from", e.ClientAddress)
	word("session", e.SessionID)
	if e.Statement > 0 {
		fmt.Fprintf(&b, "/%d", e.Statement)
	}
	word("datasource", e.Datasource)
	word("decision", string(e.Decision))
	word("rule", e.Rule)
	word("sqlstate", e.SQLState)
	word("error", e.ErrorClass)
	word("action", e.Action)
	word("object", e.Object)
	if e.Kind == KindStatementOutcome {
		fmt.Fprintf(&b, " rows=%d bytes=%d duration=%s", e.Rows, e.Bytes, e.Duration)
	}
	word("message", e.Message)
	word("statement", e.Text)
	return b.String() + "\n"
}

var csvHeader = []string{"time", "sequence", "kind", "user", "user_id", "client", "session", "statement", "project",
	"datasource", "database", "class", "tables", "decision", "rule", "sqlstate", "rows", "bytes", "duration_ms",
	"error_class", "action", "object", "text", "message"}

func csvRow(r Record) []string {
	e := r.Event
	row := []string{e.Time.UTC().Format(time.RFC3339Nano), strconv.FormatUint(r.Sequence, 10), string(e.Kind),
		e.UserName, e.UserID, e.ClientAddress, e.SessionID, strconv.FormatUint(e.Statement, 10), e.Project,
		e.Datasource, e.Database, e.Class, strings.Join(e.Tables, " "), string(e.Decision), e.Rule, e.SQLState,
		strconv.FormatInt(e.Rows, 10), strconv.FormatInt(e.Bytes, 10), strconv.FormatInt(e.Duration.Milliseconds(), 10),
		e.ErrorClass, e.Action, e.Object, e.Text, e.Message}
	for i, s := range row {
		// A spreadsheet would take these for formulas.
		if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
			row[i] = "'" + s
		}
	}
	return row
}
