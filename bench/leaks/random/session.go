package random

import "strings"

// Op is one message of the extended protocol, as the corpus writes it.
type Op struct {
	Op     string    `json:"op"` // parse, bind, describe, execute, close, sync
	Name   string    `json:"name,omitempty"`
	Portal string    `json:"portal,omitempty"`
	Kind   string    `json:"kind,omitempty"` // of describe and close: S or P
	SQL    string    `json:"sql,omitempty"`
	Params []*string `json:"params,omitempty"`
	RF     []int16   `json:"rf,omitempty"` // result formats
	Max    uint32    `json:"max,omitempty"`
}

// Step is what a client sends and then waits for: a Query, or a pipeline
// that ends with Sync.
type Step struct {
	Q    string `json:"q,omitempty"`
	Data string `json:"data,omitempty"` // for COPY FROM STDIN
	Pipe []Op   `json:"pipe,omitempty"`

	// Frame marks what stands around statements: BEGIN, SET, ROLLBACK.
	Frame bool `json:"-"`
	// Apart marks statements that are to fail, or fail with an earlier one. What
	// is accepted is not measured by them.
	Apart bool `json:"-"`
	// Unordered says that rows may come in any order: a write of the session
	// moved some.
	Unordered bool `json:"-"`
}

// Text is the SQL of the step, for people and for counting.
func (s *Step) Text() string {
	if s.Q != "" {
		return s.Q
	}
	var parts []string
	for _, op := range s.Pipe {
		if op.SQL != "" {
			parts = append(parts, op.SQL)
		}
	}
	return strings.Join(parts, "; ")
}

// Session is one connection's life. Its last steps leave nothing behind.
type Session struct {
	Seed   uint64
	Manner string
	Steps  []Step
}
