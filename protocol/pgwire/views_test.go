package pgwire

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
)

// decoder is a view under test. check compares what it returned with what
// pgproto3 decodes; nil where pgproto3 has no such decoder.
type decoder struct {
	name  string
	seeds [][]byte // bodies
	parse func(body []byte) (any, error)
	theirs
}

type theirs struct {
	decode interface{ Decode([]byte) error }
	same   func(ours any) bool
	wider  func(ours any) bool // the server's to refuse, not a decoder's; nil for never
}

func view[T any](parse func([]byte) (T, error)) func([]byte) (any, error) {
	return func(b []byte) (any, error) { return parse(b) }
}

func body(m interface{ Encode([]byte) ([]byte, error) }) []byte {
	b, err := m.Encode(nil)
	if err != nil {
		panic(err)
	}
	return b[headerLen:]
}

func formats(f Formats) []int16 {
	out := make([]int16, f.Len())
	for i := range out {
		out[i] = f.At(i)
	}
	return out
}

func oids(o OIDs) []uint32 {
	out := make([]uint32, o.Len())
	for i := range out {
		out[i] = o.At(i)
	}
	return out
}

func values(v Values) [][]byte {
	out := make([][]byte, 0, v.Len())
	for {
		b, ok := v.Next()
		if !ok {
			return out
		}
		out = append(out, b)
	}
}

func sameValues(a, b [][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i], b[i]) || (a[i] == nil) != (b[i] == nil) {
			return false
		}
	}
	return true
}

// sameList is DeepEqual but for nil and empty.
func sameList[T any](a, b []T) bool {
	return len(a) == 0 && len(b) == 0 || reflect.DeepEqual(a, b)
}

type pair struct{ a, b []byte }

func decoders() []decoder {
	query, parse, bind := &pgproto3.Query{}, &pgproto3.Parse{}, &pgproto3.Bind{}
	describe, closing, execute := &pgproto3.Describe{}, &pgproto3.Close{}, &pgproto3.Execute{}
	fail, call, password := &pgproto3.CopyFail{}, &pgproto3.FunctionCall{}, &pgproto3.PasswordMessage{}
	sasl, rowdesc, paramdesc := &pgproto3.SASLInitialResponse{}, &pgproto3.RowDescription{}, &pgproto3.ParameterDescription{}
	complete, errResp, ready := &pgproto3.CommandComplete{}, &pgproto3.ErrorResponse{}, &pgproto3.ReadyForQuery{}
	status, key, copyOut := &pgproto3.ParameterStatus{}, &pgproto3.BackendKeyData{}, &pgproto3.CopyOutResponse{}
	notify, result, negotiate := &pgproto3.NotificationResponse{}, &pgproto3.FunctionCallResponse{}, &pgproto3.NegotiateProtocolVersion{}
	row := &pgproto3.DataRow{}
	return []decoder{
		{"Query", [][]byte{body(&pgproto3.Query{String: "select 1"}), []byte("a\x00b\x00"), nil}, view(ParseQuery),
			theirs{query, func(o any) bool { return string(o.([]byte)) == query.String }, nil}},
		{"Parse", [][]byte{body(&pgproto3.Parse{Name: "n", Query: "q", ParameterOIDs: []uint32{1, 2}})}, view(ParseParse),
			theirs{parse, func(o any) bool {
				m := o.(ParseMsg)
				return string(m.Name) == parse.Name && string(m.SQL) == parse.Query && sameList(oids(m.Types), parse.ParameterOIDs)
			}, nil}},
		{"Bind", [][]byte{body(&pgproto3.Bind{DestinationPortal: "p", PreparedStatement: "s", ParameterFormatCodes: []int16{1, 0, 1},
			Parameters: [][]byte{{1}, nil, {}}, ResultFormatCodes: []int16{1}}), []byte("\x00\x00\x00\x00\xff\xff")}, view(ParseBind),
			theirs{bind, func(o any) bool {
				m := o.(BindMsg)
				return string(m.Portal) == bind.DestinationPortal && string(m.Statement) == bind.PreparedStatement &&
					sameList(formats(m.ParamFormats), bind.ParameterFormatCodes) && sameValues(values(m.Params), bind.Parameters) &&
					sameList(formats(m.ResultFormats), bind.ResultFormatCodes)
			}, nil}},
		{"Describe", [][]byte{[]byte("Sname\x00"), []byte("P\x00"), []byte("X\x00")}, view(ParseDescribe),
			theirs{describe, func(o any) bool {
				t := o.(Target)
				return t.Kind == describe.ObjectType && string(t.Name) == describe.Name
			}, nil}},
		{"Close", [][]byte{[]byte("Sname\x00"), []byte("P\x00"), []byte("X\x00")}, view(ParseClose),
			theirs{closing, func(o any) bool {
				t := o.(Target)
				return t.Kind == closing.ObjectType && string(t.Name) == closing.Name
			}, nil}},
		{"Execute", [][]byte{[]byte("p\x00\x00\x00\x00\x05")}, view(ParseExecute),
			theirs{execute, func(o any) bool {
				m := o.(ExecuteMsg)
				return string(m.Portal) == execute.Portal && uint32(m.Rows) == execute.MaxRows
			}, nil}},
		{"CopyFail", [][]byte{[]byte("why\x00")}, view(ParseCopyFail),
			theirs{fail, func(o any) bool { return string(o.([]byte)) == fail.Message }, nil}},
		{"FunctionCall", [][]byte{body(&pgproto3.FunctionCall{Function: 5, ArgFormatCodes: []uint16{1}, Arguments: [][]byte{{1, 2}, nil}, ResultFormatCode: 1})}, view(ParseFunctionCall),
			theirs{call, func(o any) bool {
				m := o.(FunctionCallMsg)
				return m.Function == call.Function && sameValues(values(m.Args), call.Arguments) && uint16(m.ResultFormat) == call.ResultFormatCode && m.ArgFormats.Len() == len(call.ArgFormatCodes)
			}, func(o any) bool {
				m := o.(FunctionCallMsg)
				bad := func(f int16) bool { return f != 0 && f != 1 }
				return bad(m.ResultFormat) || slices.ContainsFunc(formats(m.ArgFormats), bad)
			}}},
		{"PasswordMessage", [][]byte{[]byte("pw\x00")}, view(ParsePassword),
			theirs{password, func(o any) bool { return string(o.([]byte)) == password.Password }, nil}},
		{"SASLInitialResponse", [][]byte{[]byte("SCRAM-SHA-256\x00\x00\x00\x00\x02n,"), []byte("X\x00\xff\xff\xff\xff")}, view(ParseSASLInitial),
			theirs{sasl, func(o any) bool {
				m := o.(SASLInitial)
				return string(m.Mechanism) == sasl.AuthMechanism && bytes.Equal(m.Data, sasl.Data)
			}, nil}},
		{"RowDescription", [][]byte{body(&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("x"), TableOID: 9, TableAttributeNumber: 65535, DataTypeOID: 25, DataTypeSize: -1, TypeModifier: -1, Format: 1}}}), []byte("\xff\xff\x00")},
			view(func(b []byte) ([]Field, error) { return AppendFields(nil, b) }),
			theirs{rowdesc, func(o any) bool {
				fields := o.([]Field)
				for i, f := range fields {
					g := rowdesc.Fields[i]
					if !bytes.Equal(f.Name, g.Name) || f.TableOID != g.TableOID || uint16(f.Attr) != g.TableAttributeNumber || f.TypeOID != g.DataTypeOID || f.Size != g.DataTypeSize || f.Modifier != g.TypeModifier || f.Format != g.Format {
						return false
					}
				}
				return len(fields) == len(rowdesc.Fields)
			}, nil}},
		{"DataRow", [][]byte{body(&pgproto3.DataRow{Values: [][]byte{[]byte("x"), nil, {}}}), []byte("\x00\x01\xff\xff\xff\xfe"), []byte("\x00\x00x")},
			view(func(b []byte) ([][]byte, error) {
				r, err := NewRow(b)
				if err != nil {
					return nil, err
				}
				cells := [][]byte{}
				for r.Next() {
					cells = append(cells, r.Cell())
				}
				return cells, r.Err()
			}),
			theirs{row, func(o any) bool { return sameValues(o.([][]byte), row.Values) }, nil}},
		{"ParameterDescription", [][]byte{[]byte("\x00\x01\x00\x00\x00\x17")}, view(ParseParameterDescription),
			theirs{paramdesc, func(o any) bool { return sameList(oids(o.(OIDs)), paramdesc.ParameterOIDs) }, nil}},
		{"CommandComplete", [][]byte{[]byte("INSERT 0 5\x00"), []byte("BEGIN\x00"), []byte("SELECT 99999999999999999999\x00")}, view(ParseCommandComplete),
			theirs{complete, func(o any) bool { return bytes.Equal(o.(CommandTag).Tag, complete.CommandTag) }, nil}},
		{"ErrorResponse", [][]byte{body(&pgproto3.ErrorResponse{Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: "42501", Message: "m", Position: 4}), {0}, []byte("Cx\x00")}, view(ParseNotice),
			theirs{errResp, func(o any) bool {
				v := o.(NoticeView)
				return string(v.Field('C')) == errResp.Code || countField(v, 'C') > 1
			}, nil}},
		{"ReadyForQuery", [][]byte{[]byte("I"), []byte("X")}, view(ParseReadyForQuery),
			theirs{ready, func(o any) bool { return o.(byte) == ready.TxStatus }, nil}},
		{"ParameterStatus", [][]byte{[]byte("a\x00b\x00")}, view(func(b []byte) (pair, error) { n, v, err := ParseParameterStatus(b); return pair{n, v}, err }),
			theirs{status, func(o any) bool { p := o.(pair); return string(p.a) == status.Name && string(p.b) == status.Value }, nil}},
		{"BackendKeyData", [][]byte{make([]byte, 8), make([]byte, 260), make([]byte, 261), make([]byte, 7)}, view(ParseBackendKeyData),
			theirs{key, func(o any) bool {
				k := o.(BackendKey)
				return k.PID == key.ProcessID && bytes.Equal(k.Key, key.SecretKey)
			}, nil}},
		{"CopyResponse", [][]byte{[]byte("\x00\x00\x02\x00\x00\x00\x00"), []byte("\x01\x00\x01\x00\x01"), []byte("\x00\x00\x01\x00\x01")}, view(ParseCopyResponse),
			theirs{copyOut, func(o any) bool {
				m := o.(CopyResponse)
				return m.Binary == (copyOut.OverallFormat == 1) && m.Formats.Len() == len(copyOut.ColumnFormatCodes)
			}, nil}},
		{"NotificationResponse", [][]byte{[]byte("\x00\x00\x00\x01ch\x00load\x00")}, view(ParseNotification),
			theirs{notify, func(o any) bool {
				n := o.(Notification)
				return n.PID == notify.PID && string(n.Channel) == notify.Channel && string(n.Payload) == notify.Payload
			}, nil}},
		{"FunctionCallResponse", [][]byte{[]byte("\x00\x00\x00\x01x"), []byte("\xff\xff\xff\xff")}, view(ParseFunctionCallResponse),
			theirs{result, func(o any) bool { return bytes.Equal(o.([]byte), result.Result) }, nil}},
		{"NegotiateProtocolVersion", [][]byte{[]byte("\x00\x03\x00\x00\x00\x00\x00\x01_pq_.x\x00"), []byte("\x00\x00\x00\x02\x00\x00\x00\x00"), []byte("\x00\x03\x00\x00\xff\xff\xff\xff")}, view(ParseNegotiation),
			theirs{negotiate, func(o any) bool { return sameList(o.(Negotiation).Unknown, negotiate.UnrecognizedOptions) }, nil}},
		{"Authentication", [][]byte{[]byte("\x00\x00\x00\x05salt"), []byte("\x00\x00\x00")}, view(ParseAuthentication), theirs{}},
		{"AuthenticationSASL", [][]byte{[]byte("A\x00B\x00\x00"), []byte("A\x00")}, view(SASLMechanisms), theirs{}},
	}
}

func countField(v NoticeView, code byte) (n int) {
	for rest := v.body; len(rest) > 1; rest = rest[bytes.IndexByte(rest, 0)+1:] {
		if rest[0] == code {
			n++
		}
	}
	return n
}

// checkDecoder holds a decoder to its contract on one body: no panic, a typed
// error or the same as pgproto3.
func checkDecoder(t *testing.T, d decoder, b []byte) {
	t.Helper()
	ours, err := d.parse(b)
	var m *Malformed
	if err != nil {
		if !errors.As(err, &m) || m.Offset < 0 || m.Offset > len(b) || m.Want == "" {
			t.Fatalf("%s of %q: error %v", d.name, b, err)
		}
		return
	}
	if d.decode == nil || d.wider != nil && d.wider(ours) {
		return
	}
	if err := d.decode.Decode(bytes.Clone(b)); err != nil {
		t.Fatalf("%s: pgproto3 refuses %q: %v", d.name, b, err)
	}
	if !d.same(ours) {
		t.Fatalf("%s of %q: %+v, pgproto3 says %+v", d.name, b, ours, d.decode)
	}
}

func TestDecodersAgainstPgproto3(t *testing.T) {
	for _, d := range decoders() {
		if _, err := d.parse(d.seeds[0]); err != nil {
			t.Errorf("%s: %v", d.name, err)
		}
		for _, seed := range d.seeds {
			checkDecoder(t, d, seed)
			for cut := range seed {
				checkDecoder(t, d, seed[:cut])
			}
			if _, err := d.parse(append(bytes.Clone(d.seeds[0]), 'x')); err == nil && d.name != "BackendKeyData" && d.name != "Authentication" {
				t.Errorf("%s takes what is left over", d.name)
			}
		}
	}
}

func fuzzDecoder(f *testing.F, name string) {
	for _, d := range decoders() {
		if d.name != name {
			continue
		}
		for _, s := range d.seeds {
			f.Add(s)
		}
		f.Fuzz(func(t *testing.T, b []byte) { checkDecoder(t, d, b) })
		return
	}
	f.Fatalf("no decoder %s", name)
}

func FuzzQuery(f *testing.F)                { fuzzDecoder(f, "Query") }
func FuzzParse(f *testing.F)                { fuzzDecoder(f, "Parse") }
func FuzzBind(f *testing.F)                 { fuzzDecoder(f, "Bind") }
func FuzzDescribe(f *testing.F)             { fuzzDecoder(f, "Describe") }
func FuzzClose(f *testing.F)                { fuzzDecoder(f, "Close") }
func FuzzExecute(f *testing.F)              { fuzzDecoder(f, "Execute") }
func FuzzCopyFail(f *testing.F)             { fuzzDecoder(f, "CopyFail") }
func FuzzFunctionCall(f *testing.F)         { fuzzDecoder(f, "FunctionCall") }
func FuzzPassword(f *testing.F)             { fuzzDecoder(f, "PasswordMessage") }
func FuzzSASLInitial(f *testing.F)          { fuzzDecoder(f, "SASLInitialResponse") }
func FuzzRowDescription(f *testing.F)       { fuzzDecoder(f, "RowDescription") }
func FuzzDataRow(f *testing.F)              { fuzzDecoder(f, "DataRow") }
func FuzzParameterDescription(f *testing.F) { fuzzDecoder(f, "ParameterDescription") }
func FuzzCommandComplete(f *testing.F)      { fuzzDecoder(f, "CommandComplete") }
func FuzzErrorResponse(f *testing.F)        { fuzzDecoder(f, "ErrorResponse") }
func FuzzReadyForQuery(f *testing.F)        { fuzzDecoder(f, "ReadyForQuery") }
func FuzzParameterStatus(f *testing.F)      { fuzzDecoder(f, "ParameterStatus") }
func FuzzBackendKeyData(f *testing.F)       { fuzzDecoder(f, "BackendKeyData") }
func FuzzCopyResponse(f *testing.F)         { fuzzDecoder(f, "CopyResponse") }
func FuzzNotification(f *testing.F)         { fuzzDecoder(f, "NotificationResponse") }
func FuzzFunctionCallResponse(f *testing.F) { fuzzDecoder(f, "FunctionCallResponse") }
func FuzzNegotiation(f *testing.F)          { fuzzDecoder(f, "NegotiateProtocolVersion") }
func FuzzAuthentication(f *testing.F)       { fuzzDecoder(f, "Authentication") }
func FuzzSASLMechanisms(f *testing.F)       { fuzzDecoder(f, "AuthenticationSASL") }

func TestCommandTagRows(t *testing.T) {
	for tag, want := range map[string]int64{"INSERT 0 5": 5, "SELECT 0": 0, "COPY 12": 12, "BEGIN": -1, "CREATE TABLE": -1, "UPDATE -1": -1, "X 9999999999999999999": -1} {
		got, err := ParseCommandComplete(append([]byte(tag), 0))
		if err != nil || got.Rows != want {
			t.Errorf("%s: %d, %v", tag, got.Rows, err)
		}
	}
}

func TestFormatsOf(t *testing.T) {
	none, one, two := Formats{}, Formats{b: []byte{0, 1}}, Formats{b: []byte{0, 1, 0, 0}}
	if none.Of(3) != 0 || one.Of(3) != 1 || two.Of(0) != 1 || two.Of(1) != 0 || two.Of(2) != -1 {
		t.Error("the rule for format codes does not hold")
	}
}
