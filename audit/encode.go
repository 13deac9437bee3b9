package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"time"
)

// Limits of one event, beside Options.TextLimit. What is cut or left out is
// said in the event ("truncated", "omitted").
const (
	shortLimit = 1 << 10  // names, addresses, rules
	longLimit  = 16 << 10 // message, before, after
	listLimit  = 32 << 10 // encoded bytes of one list
)

const ocsfVersion = "1.5.0"

// activity is what OCSF calls the thing that happened.
type activity struct {
	id   int
	name string
}

// The OCSF classes that weir uses. A journal line, and only one, starts with
// journalPrefix.
const (
	iamPrefix      = `,"category_uid":3,"category_name":"Identity & Access Management"`
	appPrefix      = `,"category_uid":6,"category_name":"Application Activity"`
	authPrefix     = `{"class_uid":3002,"class_name":"Authentication"` + iamPrefix
	accountPrefix  = `{"class_uid":3001,"class_name":"Account Change"` + iamPrefix
	entityPrefix   = `{"class_uid":3004,"class_name":"Entity Management"` + iamPrefix
	dataPrefix     = `{"class_uid":6005,"class_name":"Datastore Activity"` + appPrefix
	journalPrefix  = `{"class_uid":6002,"class_name":"Application Lifecycle"` + appPrefix
	metadataPrefix = `,"metadata":{"version":"` + ocsfVersion +
		`","profiles":["datetime","security_control"],"product":{"name":"weir","vendor_name":"weir"},"event_code":`
)

// encoder writes one event into buf.
type encoder struct {
	buf       []byte
	time      time.Time
	textLimit int
	cut       bool // a string was cut
	omitted   int  // list elements left out
}

// appendEvent appends e, which happened at t, as an OCSF object that is open at
// its end, inside "unmapped", for appendLink to close.
func appendEvent(dst []byte, e *Event, t time.Time, textLimit int) ([]byte, error) {
	enc := encoder{buf: dst, time: t, textLimit: textLimit}
	switch e.Kind {
	case KindLogin, KindLoginFailed:
		enc.head(e, authPrefix, 3002, activity{1, "Logon"})
		enc.authentication(e)
	case KindLogout:
		enc.head(e, authPrefix, 3002, activity{2, "Logoff"})
		enc.authentication(e)
	case KindStatementIntent, KindStatementOutcome, KindDenial:
		enc.head(e, dataPrefix, 6005, dataActivity(e))
		enc.datastore(e)
	case KindAdministration:
		enc.head(e, accountPrefix, 3001, accountActivity(e.Action))
		enc.actor(e)
		enc.raw(`,"user":{`)
		enc.str(`"name":`, e.Object, shortLimit)
		enc.raw(`}`)
	case KindPolicyChange, KindConfigChange:
		enc.head(e, entityPrefix, 3004, entityActivity(e.Action))
		enc.actor(e)
		enc.entity(e)
	default:
		return dst, fmt.Errorf("audit event: kind %q cannot be appended", e.Kind)
	}
	enc.endpoint(e)
	enc.long(`,"message":`, e.Message)
	enc.unmapped(e)
	return enc.buf, nil
}

func dataActivity(e *Event) activity {
	switch {
	case e.Statement == 0 && e.Text == "":
		return activity{3, "Connect"}
	case e.Class == "read" || e.Class == "explain":
		return activity{4, "Query"}
	case e.Class == "write":
		return activity{5, "Write"}
	}
	return activity{99, "Other"}
}

func accountActivity(action string) activity {
	switch action {
	case "create":
		return activity{1, "Create"}
	case "enable":
		return activity{2, "Enable"}
	case "password_change":
		return activity{3, "Password Change"}
	case "password_reset":
		return activity{4, "Password Reset"}
	case "disable":
		return activity{5, "Disable"}
	case "delete":
		return activity{6, "Delete"}
	case "attach_policy":
		return activity{7, "Attach Policy"}
	case "detach_policy":
		return activity{8, "Detach Policy"}
	case "lock":
		return activity{9, "Lock"}
	case "mfa_enable":
		return activity{10, "MFA Factor Enable"}
	case "mfa_disable":
		return activity{11, "MFA Factor Disable"}
	case "unlock":
		return activity{12, "Unlock"}
	}
	return activity{99, "Other"}
}

func entityActivity(action string) activity {
	switch action {
	case "create":
		return activity{1, "Create"}
	case "delete":
		return activity{4, "Delete"}
	}
	return activity{3, "Update"}
}

func (enc *encoder) raw(s string) { enc.buf = append(enc.buf, s...) }

func (enc *encoder) num(key string, n int64) {
	enc.raw(key)
	enc.buf = strconv.AppendInt(enc.buf, n, 10)
}

// str appends key and s, cut at limit bytes.
func (enc *encoder) str(key, s string, limit int) {
	enc.raw(key)
	if len(s) > limit {
		s, enc.cut = cut(s, limit), true
	}
	enc.buf = appendString(enc.buf, s)
}

// opt appends key and s if s is not empty.
func (enc *encoder) opt(key, s string) {
	if s != "" {
		enc.str(key, s, shortLimit)
	}
}

func (enc *encoder) long(key, s string) {
	if s != "" {
		enc.str(key, s, longLimit)
	}
}

// list appends names between before and after each, as many as fit listLimit.
func (enc *encoder) list(key string, names []string, before, after string) {
	if len(names) == 0 {
		return
	}
	enc.raw(key)
	start := len(enc.buf)
	for i, n := range names {
		if i > 0 {
			if len(enc.buf)-start > listLimit {
				enc.omitted += len(names) - i
				break
			}
			enc.raw(`,`)
		}
		enc.str(before, n, shortLimit)
		enc.raw(after)
	}
	enc.raw(`]`)
}

// head appends what every class has, up to the metadata.
func (enc *encoder) head(e *Event, prefix string, class int64, a activity) {
	severity := int64(1) // Informational
	switch {
	case e.Kind == KindDenial:
		severity = 3 // Medium
	case e.Kind == KindLoginFailed, e.Decision == DecisionObserve:
		severity = 2 // Low
	}
	enc.start(prefix, class, a, severity, enc.time)
	switch {
	case e.Kind == KindStatementIntent:
		enc.raw(`,"status_id":0,"status":"Unknown"`)
	case e.failed():
		enc.raw(`,"status_id":2,"status":"Failure"`)
	default:
		enc.raw(`,"status_id":1,"status":"Success"`)
	}
	enc.opt(`,"status_code":`, e.SQLState)
	switch e.Decision {
	case DecisionAllow:
		enc.raw(`,"action_id":1,"action":"Allowed","disposition_id":1,"disposition":"Allowed"`)
	case DecisionDeny:
		enc.raw(`,"action_id":2,"action":"Denied","disposition_id":2,"disposition":"Blocked"`)
	case DecisionObserve:
		enc.raw(`,"action_id":3,"action":"Observed","disposition_id":17,"disposition":"Logged"`)
	}
	if e.Kind == KindStatementOutcome || e.Duration != 0 {
		enc.num(`,"duration":`, e.Duration.Milliseconds())
	}
	enc.str(metadataPrefix, string(e.Kind), shortLimit)
	enc.opt(`,"correlation_uid":`, e.SessionID)
	enc.raw(`}`)
}

func (e *Event) failed() bool {
	return e.ErrorClass != "" || e.Kind == KindLoginFailed || e.Kind == KindDenial
}

func (enc *encoder) start(prefix string, class int64, a activity, severity int64, t time.Time) {
	enc.raw(prefix)
	enc.num(`,"activity_id":`, int64(a.id))
	enc.str(`,"activity_name":`, a.name, shortLimit)
	enc.num(`,"type_uid":`, class*100+int64(a.id))
	enc.num(`,"severity_id":`, severity)
	enc.num(`,"time":`, t.UnixMilli())
	enc.raw(`,"time_dt":"`)
	enc.buf = t.UTC().AppendFormat(enc.buf, "2006-01-02T15:04:05.000000Z")
	enc.raw(`"`)
}

func (enc *encoder) authentication(e *Event) {
	enc.user(`,"user":{"name":`, e)
	if e.SessionID != "" {
		enc.str(`,"session":{"uid":`, e.SessionID, shortLimit)
		enc.raw(`}`)
	}
	if e.AuthMethod != "" {
		enc.str(`,"auth_protocol_id":99,"auth_protocol":`, e.AuthMethod, shortLimit)
	}
	if e.MFA {
		enc.raw(`,"is_mfa":true`)
	}
	enc.str(`,"is_remote":true,"service":{"name":`, e.Datasource, shortLimit)
	enc.raw(`}`)
	if e.Application != "" {
		enc.str(`,"actor":{"app_name":`, e.Application, shortLimit)
		enc.raw(`}`)
	}
}

func (enc *encoder) datastore(e *Event) {
	enc.actor(e)
	enc.str(`,"type_id":1,"type":"Database","database":{"name":`, e.Database, shortLimit)
	enc.raw(`,"type_id":1,"type":"Relational"}`)
	if e.Text == "" && e.Kind != KindStatementOutcome {
		return
	}
	enc.raw(`,"query_info":{"query_string":`)
	enc.text(e.Text, e.Level)
	enc.opt(`,"uid":`, e.Fingerprint)
	if e.Kind == KindStatementOutcome {
		enc.num(`,"bytes":`, e.Bytes)
	}
	enc.raw(`}`)
}

// text appends a statement's text as far as level and the limit allow.
func (enc *encoder) text(s string, level Level) {
	if level == LevelHash && s != "" {
		sum := sha256.Sum256([]byte(s))
		enc.raw(`"sha256:`)
		enc.buf = hex.AppendEncode(enc.buf, sum[:])
		enc.raw(`"`)
		return
	}
	enc.str("", s, enc.textLimit)
}

// textSize appends length and full hash of a text that was cut or left out.
func (enc *encoder) textSize(key, s string, level Level) {
	if s == "" || len(s) <= enc.textLimit && level != LevelHash {
		return
	}
	sum := sha256.Sum256([]byte(s))
	enc.raw(`,"` + key + `_bytes":`)
	enc.buf = strconv.AppendInt(enc.buf, int64(len(s)), 10)
	enc.raw(`,"` + key + `_sha256":"`)
	enc.buf = hex.AppendEncode(enc.buf, sum[:])
	enc.raw(`"`)
}

func (enc *encoder) user(key string, e *Event) {
	enc.str(key, e.UserName, shortLimit)
	enc.opt(`,"uid":`, e.UserID)
	enc.opt(`,"domain":`, e.UserSource)
	enc.list(`,"groups":[`, e.Groups, `{"name":`, `}`)
	enc.raw(`}`)
}

func (enc *encoder) actor(e *Event) {
	enc.user(`,"actor":{"user":{"name":`, e)
	if e.SessionID != "" {
		enc.str(`,"session":{"uid":`, e.SessionID, shortLimit)
		if e.MFA {
			enc.raw(`,"is_mfa":true`)
		}
		enc.raw(`}`)
	}
	enc.opt(`,"app_name":`, e.Application)
	enc.raw(`}`)
}

func (enc *encoder) entity(e *Event) {
	if e.Kind == KindPolicyChange {
		enc.str(`,"entity":{"type_id":5,"type":"Policy","name":`, e.Object, shortLimit)
	} else {
		enc.str(`,"entity":{"type_id":99,"type":"Configuration","name":`, e.Object, shortLimit)
	}
	enc.raw(`}`)
}

func (enc *encoder) endpoint(e *Event) {
	if e.ClientAddress == "" {
		return
	}
	enc.raw(`,"src_endpoint":{`)
	if ap, err := netip.ParseAddrPort(e.ClientAddress); err == nil {
		enc.raw(`"ip":"`)
		enc.buf = ap.Addr().WithZone("").AppendTo(enc.buf)
		enc.num(`","port":`, int64(ap.Port()))
	} else if ip, err := netip.ParseAddr(e.ClientAddress); err == nil {
		enc.raw(`"ip":"`)
		enc.buf = ip.WithZone("").AppendTo(enc.buf)
		enc.raw(`"`)
	} else {
		enc.str(`"name":`, e.ClientAddress, shortLimit)
	}
	enc.raw(`}`)
}

// unmapped appends what OCSF has no attribute for, and stays open.
func (enc *encoder) unmapped(e *Event) {
	if e.TLS {
		enc.raw(`,"unmapped":{"tls":true`)
	} else {
		enc.raw(`,"unmapped":{"tls":false`)
	}
	if e.Statement != 0 {
		enc.raw(`,"statement":`)
		enc.buf = strconv.AppendUint(enc.buf, e.Statement, 10)
	}
	enc.opt(`,"auth_method":`, e.AuthMethod)
	enc.opt(`,"project":`, e.Project)
	enc.opt(`,"datasource":`, e.Datasource)
	enc.opt(`,"engine":`, e.Engine)
	if e.Kind != KindStatementIntent && e.Kind != KindStatementOutcome && e.Kind != KindDenial {
		enc.opt(`,"database":`, e.Database)
	}
	enc.opt(`,"class":`, e.Class)
	enc.list(`,"verbs":[`, e.Verbs, "", "")
	enc.list(`,"tables":[`, e.Tables, "", "")
	enc.list(`,"columns":[`, e.Columns, "", "")
	enc.masks(e.Masks)
	if e.RewrittenText != "" {
		enc.raw(`,"rewritten":`)
		enc.text(e.RewrittenText, e.Level)
	}
	enc.opt(`,"decision":`, string(e.Decision))
	enc.opt(`,"rule":`, e.Rule)
	enc.reasons(e.Reasons)
	if e.Kind == KindStatementOutcome {
		enc.num(`,"rows":`, e.Rows)
		enc.num(`,"duration_us":`, e.Duration.Microseconds())
	} else if e.Duration != 0 {
		enc.num(`,"duration_us":`, e.Duration.Microseconds())
	}
	enc.opt(`,"error_class":`, e.ErrorClass)
	enc.opt(`,"action":`, e.Action)
	enc.long(`,"before":`, e.Before)
	enc.long(`,"after":`, e.After)
	enc.textSize("text", e.Text, e.Level)
	enc.textSize("rewritten", e.RewrittenText, e.Level)
	if enc.cut {
		enc.raw(`,"truncated":true`)
	}
	if enc.omitted > 0 {
		enc.num(`,"omitted":`, int64(enc.omitted))
	}
}

func (enc *encoder) masks(masks []Mask) {
	if len(masks) == 0 {
		return
	}
	enc.raw(`,"masks":[`)
	start := len(enc.buf)
	for i := range masks {
		if i > 0 {
			if len(enc.buf)-start > listLimit {
				enc.omitted += len(masks) - i
				break
			}
			enc.raw(`,`)
		}
		enc.str(`{"column":`, masks[i].Column, shortLimit)
		enc.str(`,"function":`, masks[i].Function, shortLimit)
		enc.raw(`}`)
	}
	enc.raw(`]`)
}

func (enc *encoder) reasons(reasons []Reason) {
	if len(reasons) == 0 {
		return
	}
	enc.raw(`,"reasons":[`)
	start := len(enc.buf)
	for i := range reasons {
		if i > 0 {
			if len(enc.buf)-start > listLimit {
				enc.omitted += len(reasons) - i
				break
			}
			enc.raw(`,`)
		}
		enc.raw(`{`)
		if reasons[i].Rule != "" {
			enc.str(`"rule":`, reasons[i].Rule, shortLimit)
			enc.raw(`,`)
		}
		enc.str(`"message":`, reasons[i].Message, shortLimit)
		enc.raw(`}`)
	}
	enc.raw(`]`)
}

// appendJournal appends an event of the journal itself, open like
// appendEvent's. detail is a struct with JSON tags, or nil.
func appendJournal(dst []byte, action string, severity int64, t time.Time, detail any) ([]byte, error) {
	enc := encoder{buf: dst}
	a := activity{99, action}
	switch action {
	case actionStart:
		a = activity{3, "Start"}
	case actionStop:
		a = activity{4, "Stop"}
	}
	enc.start(journalPrefix, 6002, a, severity, t)
	enc.raw(`,"status_id":1,"status":"Success"`)
	enc.str(metadataPrefix, string(KindJournal), shortLimit)
	enc.raw(`},"app":{"name":"weir","vendor_name":"weir"},"unmapped":{"action":`)
	enc.str("", action, shortLimit)
	if detail != nil {
		b, err := json.Marshal(detail)
		if err != nil {
			return dst, fmt.Errorf("encode audit %s record: %w", action, err)
		}
		enc.raw(`,"journal":`)
		enc.buf = append(enc.buf, b...)
	}
	return enc.buf, nil
}
