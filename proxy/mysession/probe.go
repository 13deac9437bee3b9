package mysession

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/weirdb/weir/protocol/mywire"
	"github.com/weirdb/weir/proxy"
	"github.com/weirdb/weir/proxy/gate"
	"github.com/weirdb/weir/query/mysql"
)

// weir asks the server to report changes of what gives texts their meaning
// (session tracking), so that it never has to ask afterwards.

// watched are the variables that weir wants to hear of. Servers have one or the
// other name of the last.
var watched = []string{"sql_mode", "character_set_client", "character_set_connection", "character_set_results", "autocommit",
	"session_track_system_variables", "session_track_schema", "tx_read_only", "transaction_read_only"}

// tracking is what the server reports and what of it the client asked for.
type tracking struct {
	all    bool // the client wants every variable
	wanted []string
	schema bool
	// there are the watched variables that the server has; nil before it was asked.
	there []string
	// lost is set where a statement has changed what is reported, or has failed
	// half way: the settings are to be read before the next one.
	lost bool
}

// settings reads the watched variables that the server has.
func (s *session) settings() (map[string]string, error) {
	values := map[string]string{}
	if s.tracking.there == nil {
		// The constants have the columns' character set, whatever the connection's is.
		_, err := s.up.Query("SHOW SESSION VARIABLES WHERE Variable_name IN (_utf8'"+strings.Join(watched, "',_utf8'")+"')", func(cells [][]byte) error {
			if len(cells) == 2 {
				name := strings.ToLower(string(cells[0]))
				values[name] = string(cells[1])
				s.tracking.there = append(s.tracking.there, name)
			}
			return nil
		})
		return values, err
	}
	// Binary values come as they are: character_set_results may be UTF-16 now.
	_, err := s.up.Query("SELECT CAST(@@SESSION."+strings.Join(s.tracking.there, " AS BINARY), CAST(@@SESSION.")+" AS BINARY)", func(cells [][]byte) error {
		for i, name := range s.tracking.there {
			if i < len(cells) {
				values[name] = string(cells[i])
			}
		}
		return nil
	})
	return values, err
}

// settle sets up a session that the server has just begun, or begun anew.
func (s *session) settle(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = s.up.Net.Close() })
	defer stop()
	if s.datasource.Target.ReadOnly {
		// The analysis refuses what would undo it.
		if _, err := s.up.Query("SET SESSION TRANSACTION READ ONLY", nil); err != nil {
			return err
		}
	}
	if err := s.track(); err != nil {
		return err
	}
	s.setStatus(s.up.Status)
	s.quoting = false
	s.who.Store(&who{user: s.identity.ID, datasource: s.datasource, upstream: s.up.ID})
	return nil
}

// track reads what the session begins with and asks to be told of changes.
func (s *session) track() error {
	values, err := s.settings()
	if err != nil {
		return err
	}
	s.state = mysql.State{SQLMode: mysql.ParseSQLMode(values["sql_mode"]), ClientCharset: values["character_set_client"],
		ConnectionCharset: values["character_set_connection"], ResultsCharset: values["character_set_results"]}
	return s.watch(values)
}

// watch adds what weir wants to hear of to what the client does.
func (s *session) watch(values map[string]string) error {
	s.tracking = tracking{there: s.tracking.there, schema: values["session_track_schema"] == "ON" || values["session_track_schema"] == "1"}
	var names []string
	for _, name := range strings.Split(strings.ToLower(values["session_track_system_variables"]), ",") {
		if name = strings.TrimSpace(name); name != "" {
			s.tracking.wanted = append(s.tracking.wanted, name)
		}
	}
	s.tracking.all = slices.Contains(s.tracking.wanted, "*")
	names = slices.Clone(s.tracking.wanted)
	for _, name := range watched {
		if _, there := values[name]; there && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if s.tracking.all {
		names = []string{"*"}
	}
	sql := fmt.Sprintf("SET SESSION session_track_schema = ON, SESSION session_track_system_variables = _utf8'%s'", strings.Join(names, ","))
	if s.datasource.Target.ReadOnly {
		sql += ", SESSION session_track_transaction_info = _utf8'CHARACTERISTICS'"
	}
	_, err := s.up.Query(sql, nil)
	return err
}

// observe takes in what the server reports, and gives what of it goes on to the
// client.
func (s *session) observe(changes mywire.SessionChanges) (mywire.SessionChanges, error) {
	if changes.Empty() {
		return changes, nil
	}
	var out []byte
	var fault error
	err := changes.Each(func(ch mywire.SessionChange) {
		if err := s.observed(ch); err != nil {
			fault = err
		}
		if s.passes(ch) {
			out = mywire.AppendSessionChange(out, ch)
		}
	})
	if err == nil {
		err = fault
	}
	return mywire.NewSessionChanges(out), err
}

// observed follows one change.
func (s *session) observed(ch mywire.SessionChange) error {
	value := string(ch.Value)
	switch ch.Kind {
	case mywire.TrackSchema:
		s.state.Database = value
	case mywire.TrackCharacteristics:
		// It comes before anything could be written.
		if s.datasource.Target.ReadOnly && strings.Contains(strings.ToUpper(value), "READ WRITE") {
			return errUndone
		}
	case mywire.TrackVariable:
		switch strings.ToLower(string(ch.Name)) {
		case "sql_mode":
			s.state.SQLMode = mysql.ParseSQLMode(value)
		case "character_set_client":
			s.state.ClientCharset = value
		case "character_set_connection":
			s.state.ConnectionCharset = value
		case "character_set_results":
			s.state.ResultsCharset = value
		case "tx_read_only", "transaction_read_only":
			if s.datasource.Target.ReadOnly && value != "ON" && value != "1" {
				return errUndone
			}
		}
	}
	return nil
}

// passes says that the client gets to see a change.
func (s *session) passes(ch mywire.SessionChange) bool {
	switch ch.Kind {
	case mywire.TrackSchema:
		return s.tracking.schema
	case mywire.TrackCharacteristics, mywire.TrackTransaction:
		return !s.datasource.Target.ReadOnly // there it is weir that asked
	case mywire.TrackVariable:
		return s.tracking.all || slices.Contains(s.tracking.wanted, strings.ToLower(string(ch.Name)))
	}
	return true
}

// aboutLast are the texts that ask about the statement before them, whose
// messages the reading of settings would wipe out. They mean the same in every
// sql_mode and character set, and change nothing that is watched.
var aboutLast = regexp.MustCompile(`(?i)^\s*(?:show\s+(?:warnings|errors)(?:\s+limit\s[\d\s,]+)?|show\s+count\s*\(\s*\*\s*\)\s+(?:warnings|errors)|` +
	`get\s+(?:current\s+)?diagnostics\s[\w\s@=,]*|select\s+@@(?:(?:session|local)\s*\.\s*)?(?:warning_count|error_count))[\s;]*$`)

// sure reads the settings anew before a text, if they are in doubt.
func (s *session) sure(text string) error {
	if !s.tracking.lost || aboutLast.MatchString(text) {
		return nil
	}
	return s.retrack()
}

// sureFor is sure before a command of the client.
func (s *session) sureFor(com mywire.Command, body []byte) error {
	switch com {
	case mywire.ComQuery:
		m, err := mywire.ParseQuery(body, s.caps)
		if err != nil {
			return clientError(err)
		}
		return s.sure(string(m.SQL))
	case mywire.ComStmtPrepare:
		return s.sure(string(body[1:]))
	case mywire.ComPing, mywire.ComQuit, mywire.ComStmtClose, mywire.ComStmtReset, mywire.ComStmtSendLongData, mywire.ComChangeUser, mywire.ComResetConnection:
		return nil
	case mywire.ComStmtExecute:
		p, err := s.known(body)
		if err != nil {
			return err
		}
		if p != nil {
			return s.sure(p.text)
		}
	}
	return s.sure("")
}

// retrack asks anew for what weir wants to hear of after a statement has changed
// that. Only what is reported is in doubt, not what was.
func (s *session) retrack() error {
	s.tracking.lost = false
	values, err := s.settings()
	if err != nil {
		return upstreamError(err)
	}
	s.state.SQLMode, s.state.ClientCharset = mysql.ParseSQLMode(values["sql_mode"]), values["character_set_client"]
	s.state.ConnectionCharset, s.state.ResultsCharset = values["character_set_connection"], values["character_set_results"]
	if err := s.watch(values); err != nil {
		return upstreamError(err)
	}
	return nil
}

var noLimit time.Time

func timeLimit(d time.Duration) time.Time { return time.Now().Add(d) }

// errUndone ends a session of a read-only source that may write.
var errUndone error = end(proxy.EndReadOnlyUndone, nil)

// closedGate stands for the gate of an identity that has left.
type closedGate struct{}

func (closedGate) Judge(context.Context, gate.Statement) (*gate.Ticket, error) {
	return nil, &gate.Denial{SQLState: mywire.StateAccess, Rule: "closed", Pos: -1, Message: "nobody is logged in"}
}

func (g closedGate) Preview(ctx context.Context, s gate.Statement) (*gate.Ticket, error) {
	return g.Judge(ctx, s)
}
func (closedGate) Close(string) {}
