package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	own "github.com/weirdb/weir/bench/leaks/corpus"
)

// corpus is a folder of cases with the schema and the data that they need.
type corpus struct {
	files     fs.FS
	data      func(side string) ([]byte, error) // a script for psql
	protected []column
	cases     []*testCase // must tell nothing
	everyday  []*testCase // must keep working
}

// column is a protected column: its values differ between the two sides.
type column struct {
	Schema    string `json:"schema"`
	Table     string `json:"table"`
	Column    string `json:"column"`
	Class     string `json:"class"`
	Generated bool   `json:"generated"`
}

// testCase is one session with its statements. docs/leaks.md describes the keys.
type testCase struct {
	ID       string            `json:"id"`
	Family   string            `json:"family"`
	Mode     string            `json:"mode"`
	Trick    string            `json:"trick"`
	Public   bool              `json:"public"`
	Needs    []string          `json:"needs"` // write, error, superuser
	Norm     []string          `json:"norm"`  // timing
	Startup  map[string]string `json:"startup"`
	Before   []string          `json:"before"` // run by the administrator on the server itself
	SQL      []string          `json:"sql"`
	Params   []*string         `json:"params"`
	Max      uint32            `json:"max"`
	Fragment bool              `json:"fragment"` // a byte at a time
	Steps    []step            `json:"steps"`

	// Of everyday cases: same, masked (the positions in Masked, from 1),
	// masked_rows (the same, in some rows), or constants (as in the database
	// whose protected values are constants).
	Expect string `json:"expect"`
	Masked []int  `json:"masked"`
	// Elsewhere names the only mode of the masks in which the case is to run.
	Elsewhere string `json:"elsewhere"`
	// Versions are the major versions that the case is for; all if empty.
	Versions []int `json:"versions"`
}

// step is one exchange: exactly one of Q, X, F and Pipe is set.
type step struct {
	Conn     string        `json:"conn"`
	Q        *string       `json:"q"` // simple query
	X        *string       `json:"x"` // extended query
	F        *functionCall `json:"f"`
	Pipe     []op          `json:"pipe"`
	Params   []*string     `json:"params"`
	Max      uint32        `json:"max"`
	Data     *string       `json:"data"`  // for COPY FROM STDIN
	Bytes    string        `json:"bytes"` // latin1: the text is sent in it
	binary   bool          // results in binary
	fragment bool
}

type functionCall struct {
	Func   string    `json:"func"` // as regprocedure reads it
	Args   []*string `json:"args"`
	Format int16     `json:"rf"`
}

// op is one message of a pipeline.
type op struct {
	Op     string    `json:"op"` // parse, bind, describe, execute, close, sync, flush, query
	Name   string    `json:"name"`
	Portal string    `json:"portal"`
	Kind   string    `json:"kind"` // S or P
	SQL    string    `json:"sql"`
	Types  []uint32  `json:"types"`
	Params []*string `json:"params"`
	Format []int16   `json:"rf"`
	Max    uint32    `json:"max"`
}

// ownSeed makes the data of weir's own corpus.
const ownSeed = 1

// openCorpus reads the corpus in a folder, or weir's own.
func openCorpus(folder string) (*corpus, error) {
	if folder == "" {
		return loadCorpus(own.Files, func(side string) ([]byte, error) {
			var b bytes.Buffer
			err := own.Data(side, ownSeed, &b)
			return b.Bytes(), err
		})
	}
	files := os.DirFS(folder)
	return loadCorpus(files, func(side string) ([]byte, error) { return fs.ReadFile(files, "data-"+side+".sql") })
}

func loadCorpus(files fs.FS, data func(side string) ([]byte, error)) (*corpus, error) {
	c := &corpus{files: files, data: data}
	text, err := fs.ReadFile(files, "protected.json")
	if err != nil {
		return nil, err
	}
	var list struct {
		Columns []column `json:"columns"`
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("protected.json: %w", err)
	}
	c.protected = list.Columns
	if c.cases, err = loadCases(files, "cases"); err != nil {
		return nil, err
	}
	if c.everyday, err = loadCases(files, "benign"); err != nil {
		return nil, err
	}
	return c, c.check()
}

func loadCases(files fs.FS, folder string) ([]*testCase, error) {
	names, err := fs.Glob(files, path.Join(folder, "*.json"))
	if err != nil {
		return nil, err
	}
	var all []*testCase
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		var list []*testCase
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(&list); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, list...)
	}
	return all, nil
}

func (c *corpus) check() error {
	seen := map[string]bool{}
	for _, t := range slices.Concat(c.cases, c.everyday) {
		if t.ID == "" || seen[t.ID] {
			return fmt.Errorf("case %q: the id is missing or not unique", t.ID)
		}
		seen[t.ID] = true
		if (len(t.SQL) == 0) == (len(t.Steps) == 0) {
			return fmt.Errorf("case %s: want either sql or steps", t.ID)
		}
		for _, s := range t.Steps {
			if n := count(s.Q != nil, s.X != nil, s.F != nil, s.Pipe != nil); n != 1 {
				return fmt.Errorf("case %s: a step has %d of q, x, f and pipe", t.ID, n)
			}
		}
	}
	for _, t := range c.everyday {
		if !slices.Contains([]string{"same", "masked", "masked_rows", "constants"}, t.Expect) {
			return fmt.Errorf("case %s: expect %q is none of same, masked, masked_rows, constants", t.ID, t.Expect)
		}
	}
	return nil
}

// masks says that an everyday case expects masked cells.
func (t *testCase) masks() bool { return t.Expect == "masked" || t.Expect == "masked_rows" }

func count(conditions ...bool) int {
	n := 0
	for _, c := range conditions {
		if c {
			n++
		}
	}
	return n
}

func (t *testCase) needs(what string) bool { return slices.Contains(t.Needs, what) }

// runsIn says whether the case is for a server version and a mode of the masks.
func (t *testCase) runsIn(major int, elsewhere string) bool {
	if t.Expect == "constants" && elsewhere != "masked" || t.Elsewhere != "" && t.Elsewhere != elsewhere {
		return false
	}
	return len(t.Versions) == 0 || slices.Contains(t.Versions, major)
}

// form is how the statements of a case are sent.
type form string

const (
	formOwn    form = "own"
	formEvery  form = "every" // its own, then the others, in one session
	formSimple form = "simple"
	formText   form = "extended text"
	formBinary form = "extended binary"
)

// breadth is in how many forms cases run.
type breadth int

const (
	narrow breadth = iota // each in its own form
	usual                 // single statements in every form
	wide                  // scripts in every form as well
)

// forms are the ways in which the case runs, each in a session of its own.
func (t *testCase) forms(b breadth) []form {
	others := t.others()
	switch {
	case b == narrow || len(others) == 0 || b == usual && len(t.SQL) > 1:
		return []form{formOwn}
	case len(t.SQL) == 1:
		return []form{formEvery}
	}
	return append([]form{formOwn}, others...)
}

// others are the forms beside its own in which the statements can be sent.
func (t *testCase) others() []form {
	if len(t.SQL) == 0 || slices.ContainsFunc(t.SQL, func(s string) bool { return strings.Contains(strings.TrimRight(s, "; \n\t"), ";") }) {
		return nil
	}
	var simple []form
	if t.Params == nil && t.Max == 0 {
		simple = []form{formSimple}
	}
	switch t.Mode {
	case "simple", "session-script", "cursor", "copy":
		return []form{formText, formBinary}
	case "extended":
		return append(simple, formBinary)
	case "extended-binary":
		return append(simple, formText)
	}
	return nil
}

// steps are the exchanges of the case in one of its forms.
func (t *testCase) steps(f form) []step {
	extended, binary := strings.HasPrefix(t.Mode, "extended"), t.Mode == "extended-binary"
	switch f {
	case formEvery:
		list := t.steps(formOwn)
		for _, other := range t.others() {
			list = append(list, t.steps(other)...)
		}
		return list
	case formSimple:
		extended, binary = false, false
	case formText:
		extended, binary = true, false
	case formBinary:
		extended, binary = true, true
	}
	var list []step
	for i := range t.SQL {
		s := step{fragment: t.Fragment, binary: binary, Params: t.Params, Max: t.Max}
		if extended {
			s.X = &t.SQL[i]
		} else {
			s.Q = &t.SQL[i]
		}
		list = append(list, s)
	}
	for _, s := range t.Steps {
		s.fragment, s.binary = t.Fragment, binary
		list = append(list, s)
	}
	return list
}
