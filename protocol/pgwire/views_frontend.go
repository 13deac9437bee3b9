package pgwire

// The decoders of this file read bodies that a client sent. They are strict:
// a body with anything missing or left over is *Malformed. What they return
// points into the body. Formats: PostgreSQL documentation, section 55.7.

// ParseQuery returns the SQL text of Query.
func ParseQuery(body []byte) (sql []byte, err error) {
	c := cursor{b: body, msg: "Query"}
	sql = c.cstring("a terminated query text")
	return sql, c.end()
}

// ParseMsg is a Parse message.
type ParseMsg struct {
	Name  []byte // of the statement, empty for the unnamed one
	SQL   []byte
	Types OIDs // of leading parameters; 0 leaves one open
}

// ParseParse decodes Parse.
func ParseParse(body []byte) (ParseMsg, error) {
	c := cursor{b: body, msg: "Parse"}
	m := ParseMsg{
		Name:  c.cstring("a terminated statement name"),
		SQL:   c.cstring("a terminated query text"),
		Types: c.oids("a list of parameter types"),
	}
	return m, c.end()
}

// BindMsg is a Bind message. Whether numbers of formats and parameters fit the
// statement is the server's to say.
type BindMsg struct {
	Portal        []byte
	Statement     []byte
	ParamFormats  Formats
	Params        Values
	ResultFormats Formats
}

// ParseBind decodes Bind.
func ParseBind(body []byte) (BindMsg, error) {
	c := cursor{b: body, msg: "Bind"}
	m := BindMsg{
		Portal:        c.cstring("a terminated portal name"),
		Statement:     c.cstring("a terminated statement name"),
		ParamFormats:  c.formats("a list of parameter formats"),
		Params:        c.values("a list of parameters"),
		ResultFormats: c.formats("a list of result formats"),
	}
	return m, c.end()
}

// Kinds of objects that Describe and Close name.
const (
	KindStatement = 'S'
	KindPortal    = 'P'
)

// Target is what Describe or Close names.
type Target struct {
	Kind byte // KindStatement or KindPortal
	Name []byte
}

// ParseDescribe decodes Describe.
func ParseDescribe(body []byte) (Target, error) { return parseTarget("Describe", body) }

// ParseClose decodes Close.
func ParseClose(body []byte) (Target, error) { return parseTarget("Close", body) }

func parseTarget(msg string, body []byte) (Target, error) {
	c := cursor{b: body, msg: msg}
	t := Target{Kind: c.byte("S or P")}
	if c.err == nil && t.Kind != KindStatement && t.Kind != KindPortal {
		c.off--
		c.fail("S or P")
	}
	t.Name = c.cstring("a terminated name")
	return t, c.end()
}

// ExecuteMsg is an Execute message.
type ExecuteMsg struct {
	Portal []byte
	Rows   int32 // most rows to return; zero or less means all
}

// ParseExecute decodes Execute.
func ParseExecute(body []byte) (ExecuteMsg, error) {
	c := cursor{b: body, msg: "Execute"}
	m := ExecuteMsg{
		Portal: c.cstring("a terminated portal name"),
		Rows:   int32(c.uint32("a row count")),
	}
	return m, c.end()
}

// ParseCopyFail returns the reason that CopyFail gives.
func ParseCopyFail(body []byte) (reason []byte, err error) {
	c := cursor{b: body, msg: "CopyFail"}
	reason = c.cstring("a terminated reason")
	return reason, c.end()
}

// FunctionCallMsg is a FunctionCall message.
type FunctionCallMsg struct {
	Function     uint32 // OID
	ArgFormats   Formats
	Args         Values
	ResultFormat int16
}

// ParseFunctionCall decodes FunctionCall.
func ParseFunctionCall(body []byte) (FunctionCallMsg, error) {
	c := cursor{b: body, msg: "FunctionCall"}
	m := FunctionCallMsg{
		Function:     c.uint32("a function's OID"),
		ArgFormats:   c.formats("a list of argument formats"),
		Args:         c.values("a list of arguments"),
		ResultFormat: int16(c.uint16("a result format")),
	}
	return m, c.end()
}

// ParsePassword returns the password of a PasswordMessage.
func ParsePassword(body []byte) (password []byte, err error) {
	c := cursor{b: body, msg: "PasswordMessage"}
	password = c.cstring("a terminated password")
	return password, c.end()
}

// SASLInitial is a SASLInitialResponse message.
type SASLInitial struct {
	Mechanism []byte
	Data      []byte // nil if the client sent no response yet
}

// ParseSASLInitial decodes SASLInitialResponse.
func ParseSASLInitial(body []byte) (SASLInitial, error) {
	c := cursor{b: body, msg: "SASLInitialResponse"}
	m := SASLInitial{
		Mechanism: c.cstring("a terminated mechanism name"),
		Data:      c.value("the length of a response and the response"),
	}
	return m, c.end()
}

// ParseEmpty checks a message that has no body, such as Sync or Flush; name is
// the message's own for the error.
func ParseEmpty(name string, body []byte) error {
	c := cursor{b: body, msg: name}
	return c.end()
}
