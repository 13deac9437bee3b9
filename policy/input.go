package policy

import "time"

// InputVersion is the version of the input document that this package writes.
const InputVersion = 1

// Phase says what is being decided.
type Phase string

// The phases. Input.Statement is nil at PhaseConnect.
const (
	PhaseConnect   Phase = "connect"
	PhaseStatement Phase = "statement"
)

// Input is the document that policy sees. Its JSON form is a public interface,
// described by schema/input.schema.json. A nil slice means the same as an empty
// one.
type Input struct {
	Version int       `json:"version" jsonschema:"enum=1"`
	Phase   Phase     `json:"phase" jsonschema:"enum=connect,enum=statement"`
	Time    time.Time `json:"time"` // policy sees UTC, whole seconds, RFC 3339
	User    User      `json:"user"`
	Session Session   `json:"session"`
	Target  Target    `json:"target"`
	// Statement is nil at PhaseConnect.
	Statement *Statement `json:"statement" jsonschema:"nullable"`
}

// User is who asks.
type User struct {
	ID     string   `json:"id"` // source and subject: "oidc:corp|248"
	Name   string   `json:"name"`
	Source string   `json:"source"` // where the identity comes from: "local", "oidc:corp"
	Groups []string `json:"groups"`
	Roles  Roles    `json:"roles"`
	Auth   Auth     `json:"auth"`
}

// Roles are the user's roles in weir; an empty name is no role.
type Roles struct {
	Global  string `json:"global"`
	Project string `json:"project"` // in the target's project
}

// Auth is how the user logged in.
type Auth struct {
	Method     string `json:"method"`
	MFA        bool   `json:"mfa"`
	AgeSeconds int64  `json:"age_seconds"` // since the login
}

// Session is the client's connection.
type Session struct {
	ID            string `json:"id"`
	ClientAddress string `json:"client_address"` // without a port
	Application   string `json:"application"`
	TLS           bool   `json:"tls"`
	// Grant is the id of the temporary access grant that the session runs
	// under, nil if there is none.
	Grant *string `json:"grant" jsonschema:"nullable"`
}

// Target is what the session is connected to.
type Target struct {
	Project     string `json:"project"`
	Datasource  string `json:"datasource"`
	Engine      string `json:"engine"` // postgresql, mysql, mariadb
	Environment string `json:"environment"`
	Database    string `json:"database"`
	ReadOnly    bool   `json:"read_only"`
}

// Statement is what one statement does.
type Statement struct {
	Class       string     `json:"class"` // a query.Class
	Verbs       []string   `json:"verbs"`
	Complete    bool       `json:"complete"` // false: some part could not be analysed
	Fingerprint string     `json:"fingerprint"`
	Tables      []Table    `json:"tables"`
	Functions   []Function `json:"functions"`
}

// Table is a relation that a statement touches.
type Table struct {
	Schema  string   `json:"schema"`
	Name    string   `json:"name"`
	Kind    string   `json:"kind"`
	Access  []string `json:"access"`
	Columns []Column `json:"columns"`
}

// Column is one column of a Table and how the statement uses it.
type Column struct {
	Name string   `json:"name"`
	Tags []string `json:"tags"` // see Engine.Tags
	Uses []string `json:"uses"` // the names of a query.Use
}

// Function is a function that a statement calls.
type Function struct {
	Schema string `json:"schema"`
	Name   string `json:"name"`
	Safe   bool   `json:"safe"`
}
