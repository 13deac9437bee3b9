package policy

import "slices"

// set is how Rego sees a list that is looked up: {"shop": true}. An empty set
// in a rule stands for no restriction.
type set map[string]bool

func setOf(list []string) set {
	s := make(set, len(list))
	for _, x := range list {
		s[x] = true
	}
	return s
}

// holds says whether x is in s or s restricts nothing.
func (s set) holds(x string) bool { return len(s) == 0 || s[x] }

// dataset is policy data as the shipped Rego reads it, at data.weir.config:
// checked, completed with defaults, and with indexes, so that a decision costs
// the same with ten grants as with ten thousand.
type dataset struct {
	Projects map[string]set `json:"projects"` // name to datasources
	Grants   []grantData    `json:"grants"`
	// GrantIndex finds grants by the narrowest of "datasource:x", "project:x" and
	// "*" that their targets name, then by principal.
	GrantIndex map[string]map[string][]int `json:"grant_index"`
	// Masks lists the mask rules of every known tag, in order.
	Masks map[string][]maskData `json:"masks"`
	// RowFilters are found by lower-case schema and table in RowFilterIndex, or
	// are among RowFilterPatterns.
	RowFilters        []rowFilterData             `json:"row_filters"`
	RowFilterIndex    map[string]map[string][]int `json:"row_filter_index"`
	RowFilterPatterns []int                       `json:"row_filter_patterns"`
	ReadOnly          []readOnlyData              `json:"read_only"`
	Defaults          defaultsData                `json:"defaults"`
	// Strictness ranks mask functions, the strictest first.
	Strictness map[string]int `json:"strictness"`
}

type defaultsData struct {
	Mode      string `json:"mode"`
	AuditRank int    `json:"audit_rank"` // 0 metadata, 1 statement, 2 full
}

// whoData holds principals: "everyone", "user:ana", "user_id:local|1",
// "group:g", "project_role:r", "global_role:r".
type whoData struct {
	Principals set `json:"principals"`
	Sources    set `json:"sources"`
}

type targetSet struct {
	Everywhere   bool `json:"everywhere"` // all of the following are empty
	Projects     set  `json:"projects"`
	Datasources  set  `json:"datasources"`
	Environments set  `json:"environments"`
	Databases    set  `json:"databases"`
}

// nameSet matches pairs of names: schema and table, or schema and function.
type nameSet struct {
	All      bool           `json:"all"`
	Exact    map[string]set `json:"exact"`   // schema to names
	Schemas  set            `json:"schemas"` // whole schemas
	Patterns []nameGlob     `json:"patterns"`
}

// nameGlob is a pattern as glob.match of Rego takes it.
type nameGlob struct {
	Schema string `json:"schema"`
	Name   string `json:"name"`
}

type grantData struct {
	Name         string     `json:"name"`
	Sources      set        `json:"sources"`
	Target       targetSet  `json:"target"`
	Classes      set        `json:"classes"`
	Everything   bool       `json:"everything"` // all tables, without exception
	Tables       nameSet    `json:"tables"`
	ExceptTables nameSet    `json:"except_tables"` // lower case
	Functions    nameSet    `json:"functions"`
	Unmasked     set        `json:"unmasked"` // known tags
	UnmaskedAll  bool       `json:"unmasked_all"`
	Unmasks      bool       `json:"unmasks"` // any tag
	Unrestricted bool       `json:"unrestricted"`
	Mode         string     `json:"mode"`
	Require      []string   `json:"require"`
	Limits       limitsData `json:"limits"`
	AuditRank    int        `json:"audit_rank"`
	Source       string     `json:"source"` // file:line, for explain
}

// limitsData has 0 for no limit.
type limitsData struct {
	Rows    int64 `json:"rows"`
	Seconds int64 `json:"seconds"`
}

type maskData struct {
	Who       whoData        `json:"who"`
	Target    targetSet      `json:"target"`
	Function  string         `json:"function"`
	Args      map[string]any `json:"args"`
	Elsewhere string         `json:"elsewhere"`
	Rank      int            `json:"rank"`     // among functions, lower is stricter
	Unmasked  whoData        `json:"unmasked"` // nobody if it has no principals
	Source    string         `json:"source"`   // file:line, for explain
}

type rowFilterData struct {
	Tables     nameSet   `json:"tables"` // lower case
	Who        whoData   `json:"who"`
	Except     whoData   `json:"except"`
	Target     targetSet `json:"target"`
	Expression string    `json:"expression"`
	Source     string    `json:"source"`
}

type readOnlyData struct {
	Who    whoData   `json:"who"`
	Target targetSet `json:"target"`
}

// strictness lists the mask functions from the strictest on. A function that is
// not listed is less strict than all of them.
func strictness() []string {
	return []string{"null", "redact", "fake", "hash", "pseudonym", "fpe", "bucket", "date_trunc", "noise", "date_shift",
		"card", "iban", "phone", "email", "partial", "regex", "json"}
}

// unranked is the rank of other functions.
const unranked = 100

func auditRank(level string) int {
	return slices.Index([]string{AuditMetadata, AuditStatement, AuditFull}, level)
}
