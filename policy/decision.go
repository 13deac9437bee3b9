package policy

// Decision is what policy says about one Input. Its JSON form is a public
// interface, described by schema/decision.schema.json.
//
// A Decision may be shared between callers and must not be modified.
type Decision struct {
	Allow   bool     `json:"allow"`
	Mode    string   `json:"mode,omitempty" jsonschema:"enum=enforce,enum=observe"` // ModeEnforce or ModeObserve
	Reasons []Reason `json:"reasons,omitempty"`
	// Masks holds at most one mask per column.
	Masks []Mask `json:"masks,omitempty"`
	// RowFilters may hold several entries for a table; all of them apply.
	RowFilters []RowFilter `json:"row_filters,omitempty"`
	Limits     *Limits     `json:"limits,omitempty"`
	// Require names what the session must have shown (RequireMFA, …). Whoever
	// enforces the decision refuses a session that has not, and a name that it
	// does not know.
	Require []string    `json:"require,omitempty"`
	Audit   *AuditLevel `json:"audit,omitempty"`
	// Revision is the policy that decided. The engine sets it; a policy cannot.
	Revision string `json:"-"`
}

// The modes. In observe mode the decision is recorded and not enforced.
const (
	ModeEnforce = "enforce"
	ModeObserve = "observe"
)

// What Decision.Require may name in the shipped policy.
const (
	RequireMFA   = "mfa"   // Input.User.Auth.MFA
	RequireTLS   = "tls"   // Input.Session.TLS
	RequireGrant = "grant" // Input.Session.Grant
)

// Reason is one sentence for people and the rule that says it.
type Reason struct {
	Rule    string `json:"rule"`
	Message string `json:"message"`
}

// Mask replaces a column's values in results.
type Mask struct {
	Schema   string         `json:"schema"`
	Table    string         `json:"table"`
	Column   string         `json:"column"`
	Function string         `json:"function"`
	Args     map[string]any `json:"args,omitempty"` // nil, bool, int64, float64, string, []any, map[string]any
	// Elsewhere says what happens where the column is used other than as plain
	// output: ElsewhereRefuse or ElsewhereMasked.
	Elsewhere string `json:"elsewhere,omitempty" jsonschema:"enum=refuse,enum=masked"`
}

// The values of Mask.Elsewhere.
const (
	ElsewhereRefuse = "refuse"
	ElsewhereMasked = "masked"
)

// RowFilter narrows a table to the rows for which Expression, SQL of the
// target, is true.
type RowFilter struct {
	Schema     string `json:"schema"`
	Table      string `json:"table"`
	Expression string `json:"expression"`
}

// Limits bound a statement; zero means no limit.
type Limits struct {
	Rows    int64 `json:"rows,omitempty" jsonschema:"minimum=1"`
	Seconds int64 `json:"seconds,omitempty" jsonschema:"minimum=1"`
}

// AuditLevel says how much of the statement the audit trail records.
type AuditLevel struct {
	Level string `json:"level" jsonschema:"enum=metadata,enum=statement,enum=full"`
}

// The audit levels, from least to most. All record who did what kind of
// statement to which tables and columns, and how it ended.
const (
	AuditMetadata  = "metadata"  // the SQL text only as a digest
	AuditStatement = "statement" // the SQL text without its literals
	AuditFull      = "full"      // and the SQL text
)
