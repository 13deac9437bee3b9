package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
)

// wireName is an OCSF object of which only the name counts here.
type wireName struct {
	Name string `json:"name"`
}

type wireUser struct {
	Name   string     `json:"name"`
	UID    string     `json:"uid"`
	Domain string     `json:"domain"`
	Groups []wireName `json:"groups"`
}

type wireSession struct {
	UID string `json:"uid"`
	MFA bool   `json:"is_mfa"`
}

// wireEvent is the shape of a line, for reading. encode.go writes it.
type wireEvent struct {
	TimeDT     time.Time `json:"time_dt"`
	StatusCode string    `json:"status_code"`
	Message    string    `json:"message"`
	Metadata   struct {
		EventCode   Kind   `json:"event_code"`
		Correlation string `json:"correlation_uid"`
	} `json:"metadata"`
	Actor struct {
		User    wireUser    `json:"user"`
		Session wireSession `json:"session"`
		App     string      `json:"app_name"`
	} `json:"actor"`
	User     wireUser    `json:"user"`
	Session  wireSession `json:"session"`
	MFA      bool        `json:"is_mfa"`
	Endpoint struct {
		IP   string `json:"ip"`
		Port int    `json:"port"`
		Name string `json:"name"`
	} `json:"src_endpoint"`
	Database wireName `json:"database"`
	Entity   wireName `json:"entity"`
	Query    struct {
		String string `json:"query_string"`
		UID    string `json:"uid"`
		Bytes  int64  `json:"bytes"`
	} `json:"query_info"`
	Unmapped wireUnmapped `json:"unmapped"`
}

type wireUnmapped struct {
	TLS        bool            `json:"tls"`
	Statement  uint64          `json:"statement"`
	AuthMethod string          `json:"auth_method"`
	Project    string          `json:"project"`
	Datasource string          `json:"datasource"`
	Engine     string          `json:"engine"`
	Database   string          `json:"database"`
	Class      string          `json:"class"`
	Verbs      []string        `json:"verbs"`
	Tables     []string        `json:"tables"`
	Columns    []string        `json:"columns"`
	Masks      []Mask          `json:"masks"`
	Rewritten  string          `json:"rewritten"`
	Decision   Decision        `json:"decision"`
	Rule       string          `json:"rule"`
	Reasons    []Reason        `json:"reasons"`
	Rows       int64           `json:"rows"`
	DurationUS int64           `json:"duration_us"`
	ErrorClass string          `json:"error_class"`
	Action     string          `json:"action"`
	Before     string          `json:"before"`
	After      string          `json:"after"`
	TextBytes  int64           `json:"text_bytes"`
	TextSHA256 string          `json:"text_sha256"`
	Truncated  bool            `json:"truncated"`
	Journal    json.RawMessage `json:"journal"`
}

// decodeEvent reads a line back into an Event. What was cut stays cut; under
// LevelHash, Text is "sha256:…". The detail of a journal event comes back in Message.
func decodeEvent(line []byte) (*Event, error) {
	var w wireEvent
	if err := json.Unmarshal(line, &w); err != nil {
		return nil, fmt.Errorf("decode audit record: %w", err)
	}
	u := &w.Unmapped
	e := &Event{Time: w.TimeDT, Kind: w.Metadata.EventCode, SessionID: w.Metadata.Correlation,
		Statement: u.Statement, AuthMethod: u.AuthMethod, MFA: w.MFA || w.Actor.Session.MFA,
		ClientAddress: w.Endpoint.Name, Application: w.Actor.App, TLS: u.TLS,
		Project: u.Project, Datasource: u.Datasource, Engine: u.Engine, Database: w.Database.Name,
		Text: w.Query.String, RewrittenText: u.Rewritten, Fingerprint: w.Query.UID, Class: u.Class,
		Verbs: u.Verbs, Tables: u.Tables, Columns: u.Columns, Masks: u.Masks,
		Decision: u.Decision, Rule: u.Rule, Reasons: u.Reasons, SQLState: w.StatusCode,
		Rows: u.Rows, Bytes: w.Query.Bytes, Duration: time.Duration(u.DurationUS) * time.Microsecond,
		ErrorClass: u.ErrorClass, Action: u.Action, Before: u.Before, After: u.After, Message: w.Message}
	user := &w.Actor.User
	switch e.Kind {
	case KindLogin, KindLoginFailed, KindLogout:
		user = &w.User
	case KindAdministration:
		e.Object = w.User.Name
	case KindPolicyChange, KindConfigChange:
		e.Object = w.Entity.Name
	case KindJournal:
		e.Message = string(u.Journal)
	}
	if e.Database == "" {
		e.Database = u.Database
	}
	if u.TextSHA256 != "" && w.Query.String == "sha256:"+u.TextSHA256 {
		e.Level = LevelHash
	}
	e.UserID, e.UserName, e.UserSource = user.UID, user.Name, user.Domain
	for _, g := range user.Groups {
		e.Groups = append(e.Groups, g.Name)
	}
	if w.Endpoint.IP != "" {
		e.ClientAddress = w.Endpoint.IP
		if w.Endpoint.Port != 0 {
			e.ClientAddress = net.JoinHostPort(w.Endpoint.IP, strconv.Itoa(w.Endpoint.Port))
		}
	}
	return e, nil
}

// isJournal says whether a line is an event of the journal itself.
func isJournal(line []byte) bool { return bytes.HasPrefix(line, []byte(journalPrefix)) }

// journalRecord returns what a record of the journal itself says.
func journalRecord(line []byte) (action string, detail json.RawMessage, err error) {
	if !isJournal(line) {
		return "", nil, errors.New("not a record of the journal itself")
	}
	var w struct {
		Unmapped struct {
			Action  string          `json:"action"`
			Journal json.RawMessage `json:"journal"`
		} `json:"unmapped"`
	}
	if err := json.Unmarshal(line, &w); err != nil {
		return "", nil, fmt.Errorf("decode audit record: %w", err)
	}
	return w.Unmapped.Action, w.Unmapped.Journal, nil
}

// lineTime reads the time of a line, in Unix ms, without decoding the rest. The
// encoder puts it before anything that a caller chose.
func lineTime(line []byte) (int64, bool) {
	const key = `,"time":`
	i := bytes.Index(line, []byte(key))
	if i < 0 {
		return 0, false
	}
	digits := line[i+len(key):]
	end := bytes.IndexByte(digits, ',')
	if end < 0 {
		return 0, false
	}
	ms, err := strconv.ParseInt(string(digits[:end]), 10, 64)
	return ms, err == nil
}
