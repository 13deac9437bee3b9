package random

import (
	"encoding/json"
	"fmt"
	"strings"
)

// corpusCase is a session in the format of a corpus' cases.
type corpusCase struct {
	ID     string   `json:"id"`
	Family string   `json:"family"`
	Mode   string   `json:"mode"`
	Trick  string   `json:"trick"`
	Needs  []string `json:"needs,omitempty"`
	SQL    []string `json:"sql,omitempty"`
	Steps  []Step   `json:"steps,omitempty"`
}

// Case is the finding as a case for a corpus, in JSON.
func (f *Finding) Case(seed uint64) string {
	c := corpusCase{ID: fmt.Sprintf("random-%d-%d", seed, f.Session), Family: "random", Mode: "session-script",
		Trick: fmt.Sprintf("found by chance: seed %d, session %d", seed, f.Session)}
	simple := true
	for i := range f.Steps {
		simple = simple && f.Steps[i].Pipe == nil && f.Steps[i].Data == ""
		if writes(f.Steps[i].Text()) && c.Needs == nil {
			c.Needs = []string{"write"}
		}
	}
	switch {
	case !simple:
		c.Mode, c.Steps = "pipeline", f.Steps
	case len(f.Steps) == 1:
		c.Mode = "simple"
		fallthrough
	default:
		for i := range f.Steps {
			c.SQL = append(c.SQL, f.Steps[i].Q)
		}
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent(" ", " ")
	_ = e.Encode(c) // strings and numbers alone
	return " " + strings.TrimSpace(b.String())
}

// writes says that a text has a word that changes something.
func writes(sql string) bool {
	if strings.HasSuffix(sql, " FROM STDIN") {
		return true
	}
	for _, w := range strings.Fields(strings.ToUpper(sql)) {
		switch strings.Trim(w, "();") {
		case "INSERT", "UPDATE", "DELETE", "MERGE", "CREATE":
			return true
		}
	}
	return false
}
