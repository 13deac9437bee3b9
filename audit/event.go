package audit

import "time"

// Kind says what an event is about.
type Kind string

// The kinds, with the OCSF class that carries them.
const (
	KindLogin            Kind = "login"             // Authentication (3002), Logon
	KindLoginFailed      Kind = "login_failed"      // Authentication (3002), Logon
	KindLogout           Kind = "logout"            // Authentication (3002), Logoff
	KindStatementIntent  Kind = "statement_intent"  // Datastore Activity (6005)
	KindStatementOutcome Kind = "statement_outcome" // Datastore Activity (6005)
	KindDenial           Kind = "denial"            // Datastore Activity (6005)
	KindAdministration   Kind = "administration"    // Account Change (3001)
	KindPolicyChange     Kind = "policy_change"     // Entity Management (3004)
	KindConfigChange     Kind = "config_change"     // Entity Management (3004)
	// KindJournal events (start, stop, segment, checkpoint, recovery, …) are
	// written by the journal itself; Append refuses them. Application
	// Lifecycle (6002).
	KindJournal Kind = "journal"
)

// Decision is what was decided about a statement or a connection.
type Decision string

// The decisions. Observe is a denial that was recorded and not enforced.
const (
	DecisionAllow   Decision = "allow"
	DecisionDeny    Decision = "deny"
	DecisionObserve Decision = "observe"
)

// Level says how much of a statement's text is recorded.
type Level string

// The levels. The zero value is LevelFull.
const (
	LevelFull Level = "full" // the text, cut at Options.TextLimit
	LevelHash Level = "hash" // its SHA-256 and length only
)

// Mask is a mask that was applied to a column.
type Mask struct {
	Column   string `json:"column"` // schema.table.column
	Function string `json:"function"`
}

// Reason is one reason of a decision.
type Reason struct {
	Rule    string `json:"rule,omitempty"`
	Message string `json:"message"`
}

// Event is one thing that happened. A field that does not apply stays zero and
// is left out of the line. Strings may hold any bytes.
//
// Append reads an Event and what it points to until it returns, never later.
type Event struct {
	// Time is when it happened; Append fills in the journal's clock if it is zero.
	Time time.Time
	Kind Kind

	// SessionID names the session, Statement counts its statements from 1 and
	// is what an intent and its outcome have in common.
	SessionID string
	Statement uint64

	// The person or application. For administration, policy and configuration
	// changes it is who did it.
	UserID, UserName, UserSource string
	Groups                       []string
	AuthMethod                   string // "scram-sha-256", "oidc", …
	MFA                          bool

	ClientAddress string // "10.1.2.3:51234", an address without a port, or another name for the peer
	Application   string
	TLS           bool

	Project, Datasource string
	Engine              string // "postgresql", "mysql"
	Database            string

	// The statement. Text and RewrittenText obey Level.
	Level         Level
	Text          string
	RewrittenText string // what was sent upstream, if that differs from Text
	Fingerprint   string
	Class         string   // read, write, ddl, … as policy names them
	Verbs         []string // "SELECT", "CREATE TABLE"
	Tables        []string // "schema.table"
	Columns       []string // "schema.table.column"
	Masks         []Mask

	Decision Decision
	Rule     string // the deciding rule
	Reasons  []Reason
	SQLState string // SQLSTATE or error number given to the client

	// The outcome. ErrorClass is empty on success; otherwise a short bounded
	// word ("upstream_error", "denied", "client_gone"), never a server's message.
	Rows, Bytes int64
	Duration    time.Duration
	ErrorClass  string

	// Action and Object say what was done to what in a change: "create" of user
	// "ana", "load" of policy bundle "main". For Account Change an Action of create, enable,
	// password_change, password_reset, disable, delete, attach_policy,
	// detach_policy, lock, mfa_enable, mfa_disable or unlock maps to OCSF's
	// own activity; anything else is "Other" under its name.
	Action, Object string
	Before, After  string // the object before and after, as text or JSON, without secrets
	Message        string // for people
}
