package mariadb

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	own "github.com/weirdb/weir/bench/leaks/mariadb/corpus"
)

// Corpus is a folder of cases with the script of each side.
type Corpus struct {
	script    func(side string) ([]byte, error) // for the mariadb client
	protected []column
	cases     []*testCase // must tell nothing
	everyday  []*testCase // must keep working
	unknown   []string    // keys of cases that this runner does not know
}

// column is a protected column: its values differ between the two sides.
type column struct {
	Schema string `json:"schema"`
	Table  string `json:"table"`
	Column string `json:"column"`
	Type   string `json:"type"`
}

// testCase is one session with its statements. docs/leaks.md describes the keys.
type testCase struct {
	ID     string
	Family string
	Trick  string
	Mode   string // text if empty, prepared, prepared-cursor, multi-statement
	SQL    []string
	Params []any
	Fetch  int
	Steps  []step
	Conn   connection
	// Background is what others run on the server meanwhile.
	Background []background
	// Extract keeps of a result the rows whose first cell is one of these.
	Extract []string

	// Of everyday cases. Masked are positions from 0 in the results of Sets, or
	// in all; ok asks for no error alone.
	Expect string
	Masked []int
	Sets   []int
	Writes bool
	// Elsewhere names the only mode of the masks in which the case is to run.
	Elsewhere string
}

type connection struct {
	Charset int      `yaml:"charset"` // number of the collation
	NoDB    bool     `yaml:"no_db"`
	Caps    []string `yaml:"caps"`
}

type background struct {
	SQL  []string `yaml:"sql"`
	Hang bool     `yaml:"hang"` // the last statement is still running when the case begins
}

// step is one exchange. Text, prepared and pipelined statements are in SQL.
type step struct {
	kind   string // q, prep, exec, fetch, close_stmt, reset_stmt, ping, init_db, reset_connection, change_user, field_list, statistics, pipeline
	sql    []byte
	arg    string // database, or wildcard of field_list
	table  string
	params []any
	long   map[int]string // parameters sent as long data
	infile *string
	cursor bool
	fetch  int
	once   bool
}

// fileOfCases is a file of cases/ or benign/.
type fileOfCases struct {
	Family string
	Mode   string
	Cases  []yaml.Node
}

// ownSeed makes the data of weir's own corpus.
const ownSeed = 1

// OpenCorpus reads the corpus in a folder, or weir's own.
func OpenCorpus(folder string) (*Corpus, error) {
	if folder == "" {
		c, err := loadCorpus(own.Files, func(side string) ([]byte, error) {
			var b bytes.Buffer
			err := own.Data(side, ownSeed, &b)
			return b.Bytes(), err
		})
		if err == nil && len(c.unknown) > 0 {
			err = fmt.Errorf("own corpus: unknown keys %q", c.unknown)
		}
		return c, err
	}
	files := os.DirFS(folder)
	return loadCorpus(files, func(side string) ([]byte, error) { return fs.ReadFile(files, "schema/data-"+side+".sql") })
}

// IsCorpus says whether a folder holds a corpus for MariaDB.
func IsCorpus(folder string) bool {
	found, _ := fs.Glob(os.DirFS(folder), "cases/*.yaml")
	return len(found) > 0
}

func loadCorpus(files fs.FS, script func(side string) ([]byte, error)) (*Corpus, error) {
	c := &Corpus{script: script}
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
	if c.cases, err = c.load(files, "cases"); err != nil {
		return nil, err
	}
	if c.everyday, err = c.load(files, "benign"); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, t := range slices.Concat(c.cases, c.everyday) {
		if t.ID == "" || seen[t.ID] {
			return nil, fmt.Errorf("case %q: the id is missing or not unique", t.ID)
		}
		seen[t.ID] = true
		if len(t.SQL) == 0 && len(t.Steps) == 0 {
			return nil, fmt.Errorf("case %s: want sql or steps", t.ID)
		}
	}
	return c, nil
}

func (c *Corpus) load(files fs.FS, folder string) ([]*testCase, error) {
	names, err := fs.Glob(files, path.Join(folder, "*.yaml"))
	if err != nil {
		return nil, err
	}
	var all []*testCase
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		var f fileOfCases
		if err := yaml.Unmarshal(text, &f); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for i := range f.Cases {
			t, err := c.read(&f.Cases[i])
			if err != nil {
				return nil, fmt.Errorf("%s: case %d: %w", name, i, err)
			}
			if t.Family == "" {
				t.Family = f.Family
			}
			if t.Mode == "" {
				t.Mode = f.Mode
			}
			all = append(all, t)
		}
	}
	return all, nil
}

// read reads one case. A key that it does not know is noted: another corpus may
// have more of them.
func (c *Corpus) read(node *yaml.Node) (*testCase, error) {
	t := &testCase{}
	return t, eachKey(node, func(key string, value *yaml.Node) error {
		switch key {
		case "id":
			return value.Decode(&t.ID)
		case "family":
			return value.Decode(&t.Family)
		case "trick", "what":
			return value.Decode(&t.Trick)
		case "mode":
			return value.Decode(&t.Mode)
		case "sql":
			if value.Kind == yaml.ScalarNode {
				t.SQL = []string{value.Value}
				return nil
			}
			return value.Decode(&t.SQL)
		case "params":
			return value.Decode(&t.Params)
		case "fetch":
			return value.Decode(&t.Fetch)
		case "conn":
			return value.Decode(&t.Conn)
		case "background":
			return value.Decode(&t.Background)
		case "extract":
			return value.Decode(&t.Extract)
		case "expect":
			return value.Decode(&t.Expect)
		case "masked":
			return value.Decode(&t.Masked)
		case "sets":
			return value.Decode(&t.Sets)
		case "writes":
			return value.Decode(&t.Writes)
		case "elsewhere":
			return value.Decode(&t.Elsewhere)
		case "steps":
			for _, n := range value.Content {
				s, err := c.step(n)
				if err != nil {
					return err
				}
				t.Steps = append(t.Steps, s...)
			}
			return nil
		case "public":
			return nil
		}
		c.note(key)
		return nil
	})
}

func (c *Corpus) note(key string) {
	if !slices.Contains(c.unknown, key) {
		c.unknown = append(c.unknown, key)
	}
}

func eachKey(node *yaml.Node, f func(key string, value *yaml.Node) error) error {
	if node.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: want an object", node.Line)
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if err := f(node.Content[i].Value, node.Content[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// step reads one element of steps, which may be two exchanges: prepare and execute.
func (c *Corpus) step(node *yaml.Node) ([]step, error) {
	var first, s step
	err := eachKey(node, func(key string, value *yaml.Node) error {
		switch key {
		case "q", "pipeline":
			s.kind, s.sql = key, []byte(value.Value)
		case "qlatin1":
			s.kind, s.sql = "q", latin1(value.Value)
		case "prep":
			first.kind, first.sql = "prep", []byte(value.Value)
		case "exec":
			if s.kind != "pipeline" {
				s.kind = "exec"
			}
			return value.Decode(&s.params)
		case "long":
			s.long = map[int]string{}
			return eachKey(value, func(position string, data *yaml.Node) error {
				i, err := strconv.Atoi(position)
				s.long[i] = data.Value
				return err
			})
		case "cursor":
			return value.Decode(&s.cursor)
		case "fetch":
			s.kind = "fetch"
			return value.Decode(&s.fetch)
		case "once":
			return value.Decode(&s.once)
		case "infile":
			text := value.Value
			s.infile = &text
		case "init_db", "change_user":
			s.kind, s.arg = key, value.Value
		case "field_list":
			s.kind = key
			var f struct{ Table, Wild string }
			err := value.Decode(&f)
			s.table, s.arg = f.Table, f.Wild
			return err
		case "ping", "close_stmt", "reset_stmt", "reset_connection", "statistics":
			s.kind = key
		default:
			c.note("step " + key)
			s.kind = "ping"
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case first.kind == "":
		return []step{s}, nil
	case s.kind == "":
		return []step{first}, nil
	}
	return []step{first, s}, nil
}

// latin1 is a text's characters as bytes.
func latin1(text string) []byte {
	var out []byte
	for _, r := range text {
		out = append(out, byte(r))
	}
	return out
}

// form is how the statements of a case are sent.
type form string

const (
	formOwn    form = "own"
	formBinary form = "prepared" // each prepared, executed and closed
)

// forms are the ways in which the case runs, each in a session of its own.
func (t *testCase) forms(narrow bool) []form {
	if narrow || len(t.Steps) > 0 || t.Mode != "" && t.Mode != "text" {
		return []form{formOwn}
	}
	return []form{formOwn, formBinary}
}

// steps are the exchanges of the case in one of its forms.
func (t *testCase) steps(f form) []step {
	if len(t.Steps) > 0 {
		return t.Steps
	}
	var list []step
	for _, sql := range t.SQL {
		switch {
		case f == formBinary || t.Mode == "prepared":
			list = append(list, step{kind: "prep", sql: []byte(sql)}, step{kind: "exec", params: t.Params}, step{kind: "close_stmt"})
		case t.Mode == "prepared-cursor":
			list = append(list, step{kind: "prep", sql: []byte(sql)}, step{kind: "exec", params: t.Params, cursor: true},
				step{kind: "fetch", fetch: max(t.Fetch, 1)}, step{kind: "close_stmt"})
		default:
			list = append(list, step{kind: "q", sql: []byte(sql)})
		}
	}
	return list
}

// statements is the text of a case for a report.
func (t *testCase) statements() string {
	list := slices.Clone(t.SQL)
	for _, s := range t.Steps {
		list = append(list, strings.TrimSpace(s.kind+" "+s.arg+string(s.sql)))
	}
	return strings.Join(list, " ;; ")
}

func (t *testCase) runsIn(elsewhere string) bool {
	return t.Elsewhere == "" || t.Elsewhere == elsewhere
}
