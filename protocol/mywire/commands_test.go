package mywire

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// values lists parameters in words.
func values(p *Params) []string {
	var list []string
	p.Each(func(v Param) {
		s := fmt.Sprintf("%d %s=%q", v.Type, v.Name, v.Value)
		switch {
		case v.Long:
			s = "long"
		case v.Null:
			s = "null"
		}
		if v.Unsigned {
			s += " unsigned"
		}
		list = append(list, s)
	})
	return list
}

func TestQueries(t *testing.T) {
	m, err := ParseQuery([]byte("\x03select 1"), 0)
	if err != nil || string(m.SQL) != "select 1" || m.Attributes.Len() != 0 {
		t.Errorf("%+v, %v", m, err)
	}
	for _, caps := range []Capabilities{0, CapQueryAttributes} {
		b := payload(t, caps, func(w *Writer) error { return w.Query("select 2") })
		if m, err := ParseQuery(b, caps); err != nil || string(m.SQL) != "select 2" {
			t.Errorf("%+v, %v", m, err)
		}
	}
	// Two attributes, one of them NULL: MySQL documentation, COM_QUERY.
	b := []byte("\x03\x02\x01\x02\x01\xfe\x00\x02id\x03\x80\x01n\x03abcselect 3")
	m, err = ParseQuery(b, CapQueryAttributes)
	if err != nil || string(m.SQL) != "select 3" || m.Attributes.Len() != 2 {
		t.Fatalf("%+v, %v", m, err)
	}
	if got, want := values(&m.Attributes), []string{`254 id="abc"`, "null unsigned"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	var bad *Malformed
	for _, b := range []string{
		"", "\x16select", "\x03", "\x03\x00", "\x03\x00\x02select", "\x03\x01\x01", "\x03\x01\x01\x00\x00\xfe\x00\x00",
		"\x03\xfd\xff\xff\xff\x01", "\x03\xfc\xff\xff\x01\x00\x01", "\x03\x01\x01\x00\x01\x21\x00\x00",
		"\x03\x01\x01\x00\x01\xfe\x00\x05id\x01x", "\x03\x01\x01\x00\x01\xfe\x00\x02id\x05x",
	} {
		if m, err := ParseQuery([]byte(b), CapQueryAttributes); !errors.As(err, &bad) {
			t.Errorf("%q: %+v, %v", b, m, err)
		}
	}
}

func TestExecute(t *testing.T) {
	// Statement 1 with parameters 5 (signed), NULL and "ab".
	head := "\x17\x01\x00\x00\x00\x00\x01\x00\x00\x00"
	full := head + "\x02\x01\x03\x00\x06\x00\xfd\x00\x05\x00\x00\x00\x02ab"
	m, err := ParseExecute([]byte(full), 3, nil, nil, 0)
	if err != nil || m.Statement != 1 || !m.NewTypes {
		t.Fatalf("%+v, %v", m, err)
	}
	want := []string{`3 ="\x05\x00\x00\x00"`, "null", `253 ="ab"`}
	if got := values(&m.Params); !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	// Again, by the types of the first time, and once with long data.
	types := []ParamType{m.Params.Type(0), m.Params.Type(1), m.Params.Type(2)}
	again := head + "\x02\x00\x06\x00\x00\x00\x02cd"
	m, err = ParseExecute([]byte(again), 3, types, nil, 0)
	if err != nil || m.NewTypes {
		t.Fatalf("%+v, %v", m, err)
	}
	if got := values(&m.Params); got[2] != `253 ="cd"` {
		t.Errorf("%q", got)
	}
	whole := AppendExecute(nil, []byte(again), types)
	if with, err := ParseExecute(whole, 3, nil, nil, 0); err != nil || !with.NewTypes || !reflect.DeepEqual(values(&with.Params), values(&m.Params)) {
		t.Errorf("with types: %q, %v", whole, err)
	}
	long := func(i int) bool { return i == 0 }
	m, err = ParseExecute([]byte(head+"\x02\x00\x02ef"), 3, types, long, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := values(&m.Params), []string{"long", "null", `253 ="ef"`}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if m, err := ParseExecute([]byte(head), 0, nil, nil, 0); err != nil || m.Params.Len() != 0 {
		t.Errorf("without parameters: %+v, %v", m, err)
	}
	// A cursor, and a query attribute behind the statement's one parameter.
	attr := "\x17\x01\x00\x00\x00\x09\x01\x00\x00\x00\x02\x00\x01\x01\x00\x00\xfe\x00\x02id\x07\x01x"
	m, err = ParseExecute([]byte(attr), 1, nil, nil, CapQueryAttributes)
	if err != nil || m.Flags&CursorReadOnly == 0 || m.Attributes != 1 {
		t.Fatalf("%+v, %v", m, err)
	}
	if got, want := values(&m.Params), []string{`1 ="\a"`, `254 id="x"`}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	var bad *Malformed
	for _, b := range []string{
		"", head[:9], head + "\x02", head + "\x02\x00", head + "\x00\x01\x03\x00",
		full[:len(full)-1], full + "x", head + "\x02\x01\x21\x00\x06\x00\xfd\x00\x00\x00\x00\x00\x02ab", head,
	} {
		if m, err := ParseExecute([]byte(b), 3, nil, nil, 0); !errors.As(err, &bad) {
			t.Errorf("%q: %+v, %v", b, m, err)
		}
	}
	for _, typ := range []string{"\x06", "\x09", "\x0d", "\x10", "\xff", "\x11", "\xf4"} {
		b := head + "\x00\x01" + typ + "\x00\x00\x00\x00\x00"
		if m, err := ParseExecute([]byte(b), 1, nil, nil, 0); !errors.As(err, &bad) {
			t.Errorf("type %q: %+v, %v", typ, m, err)
		}
		b = "\xfa\x02\x00\x00\x00\x80\x00" + typ + "\x00\x00\x00\x00\x00\x00"
		if m, err := ParseBulkExecute([]byte(b), 1, nil); !errors.As(err, &bad) {
			t.Errorf("type %q in bulk: %+v, %v", typ, m, err)
		}
	}
	if _, err := ParseExecute([]byte(attr), 3, nil, nil, CapQueryAttributes); !errors.As(err, &bad) {
		t.Errorf("fewer than the statement has: %v", err)
	}
	if _, err := ParseExecute([]byte(head+"x"), 0, nil, nil, 0); !errors.As(err, &bad) {
		t.Errorf("something behind: %v", err)
	}
}

func TestBulkExecute(t *testing.T) {
	body := "\xfa\x02\x00\x00\x00\x80\x00\x03\x00\xfd\x00" +
		"\x00\x01\x00\x00\x00\x00\x01a" + "\x01\x02" + "\x00\x02\x00\x00\x00\x03"
	m, err := ParseBulkExecute([]byte(body), 2, nil)
	if err != nil || m.Statement != 2 || m.Rows != 3 || m.Flags != BulkSendTypes {
		t.Fatalf("%+v, %v", m, err)
	}
	var got []string
	m.Each(func(row int, ind byte, p Param) {
		got = append(got, fmt.Sprintf("%d.%d %d %q", row, p.Index, ind, p.Value))
	})
	want := []string{`0.0 0 "\x01\x00\x00\x00"`, `0.1 0 "a"`, `1.0 1 ""`, `1.1 2 ""`, `2.0 0 "\x02\x00\x00\x00"`, `2.1 3 ""`}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if m, err := ParseBulkExecute([]byte("\xfa\x02\x00\x00\x00\x00\x00\x01\x01"), 2, m.Types); err != nil || m.Rows != 1 {
		t.Errorf("%+v, %v", m, err)
	}
	var bad *Malformed
	for _, b := range []string{
		"", "\xfa\x02\x00\x00\x00\x80", body[:9], body[:len(body)-1], body + "\x04\x00", body + "\x00\x02\x00\x00",
		"\xfa\x02\x00\x00\x00\x00\x00\x01\x01",
	} {
		if m, err := ParseBulkExecute([]byte(b), 2, nil); !errors.As(err, &bad) {
			t.Errorf("%q: %+v, %v", b, m, err)
		}
	}
	if _, err := ParseBulkExecute([]byte("\xfa\x02\x00\x00\x00\x80\x00abc"), 0, nil); !errors.As(err, &bad) {
		t.Errorf("rows of no parameters: %v", err)
	}
}

func TestSmallCommands(t *testing.T) {
	check := func(name string, got, want any, err error) {
		t.Helper()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, want)
		}
	}
	text, err := ParseText(AppendText(nil, ComInitDB, "shop"), ComInitDB)
	check("init db", string(text), "shop", err)
	check("ping", nil, nil, ParseEmpty([]byte{byte(ComPing)}, ComPing))
	list, err := ParseFieldList([]byte("\x04orders\x00a%"))
	check("field list", list, FieldListMsg{Table: []byte("orders"), Wildcard: []byte("a%")}, err)
	id, err := ParseStatement(AppendStatement(nil, ComStmtClose, 9), ComStmtClose)
	check("close", id, uint32(9), err)
	fetch, err := ParseFetch([]byte("\x1c\x01\x00\x00\x00\x0a\x00\x00\x00"))
	check("fetch", fetch, FetchMsg{Statement: 1, Rows: 10}, err)
	data, err := ParseLongData([]byte("\x18\x01\x00\x00\x00\x02\x00abc"))
	check("long data", data, LongData{Statement: 1, Param: 2, Data: []byte("abc")}, err)
	option, err := ParseSetOption([]byte("\x1b\x01\x00"))
	check("set option", option, uint16(OptionMultiStatementsOff), err)
	kill, err := ParseProcessKill(AppendProcessKill(nil, 77))
	check("kill", kill, uint32(77), err)
	b := []byte("\x17\x01\x00\x00\x00rest")
	SetStatement(b, 1<<24)
	id, err = StatementOf(b)
	check("statement", id, uint32(1<<24), err)
	check("statement", string(b[5:]), "rest", nil)

	var bad *Malformed
	for name, err := range map[string]error{
		"ping with more": ParseEmpty([]byte("\x0ex"), ComPing),
		"another":        ParseEmpty([]byte("\x0e"), ComQuit),
		"nothing":        ParseEmpty(nil, ComPing),
		"list":           second(ParseFieldList([]byte("\x04orders"))),
		"close":          second(ParseStatement([]byte("\x19\x01\x00\x00"), ComStmtClose)),
		"fetch":          second(ParseFetch([]byte("\x1c\x01\x00\x00\x00\x0a\x00\x00\x00\x00"))),
		"long data":      second(ParseLongData([]byte("\x18\x01\x00\x00\x00\x02"))),
		"statement":      second(StatementOf([]byte("\x17\x01\x00\x00"))),
		"no statement":   second(StatementOf(nil)),
	} {
		if !errors.As(err, &bad) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if ComQuery.String() != "COM_QUERY" || Command(0x77).String() != "COM_0x77" || ComStmtClose.Answered() || !ComPing.Answered() {
		t.Error("names or answers of commands")
	}
}

func second[T any](_ T, err error) error { return err }

// FuzzCommands reads any bytes as every command, and walks what is right.
func FuzzCommands(f *testing.F) {
	f.Add([]byte("\x03\x02\x01\x02\x01\xfe\x00\x02id\x03\x80\x01n\x03abcselect 3"), uint16(0), true)
	f.Add([]byte("\x17\x01\x00\x00\x00\x00\x01\x00\x00\x00\x02\x01\x03\x00\x06\x00\xfd\x00\x05\x00\x00\x00\x02ab"), uint16(3), false)
	f.Add([]byte("\x17\x01\x00\x00\x00\x09\x01\x00\x00\x00\x02\x00\x01\x01\x00\x00\xfe\x00\x02id\x07\x01x"), uint16(1), true)
	f.Add([]byte("\xfa\x02\x00\x00\x00\x80\x00\x03\x00\xfd\x00\x00\x01\x00\x00\x00\x00\x01a\x01\x02"), uint16(2), false)
	f.Add([]byte("\x04orders\x00a%"), uint16(0), false)
	f.Fuzz(func(t *testing.T, in []byte, params uint16, attributes bool) {
		var caps Capabilities
		if attributes {
			caps = CapQueryAttributes
		}
		size := 0
		count := func(p Param) { size += len(p.Value) + len(p.Name) }
		if m, err := ParseQuery(in, caps); err == nil {
			m.Attributes.Each(count)
		}
		known := []ParamType{{Type: TypeLong}, {Type: TypeVarString}, {Type: TypeDate}}
		for _, types := range [][]ParamType{nil, known} {
			for _, long := range []func(int) bool{nil, func(i int) bool { return i%3 == 1 }} {
				if m, err := ParseExecute(in, int(params), types, long, caps); err == nil {
					m.Params.Each(count)
				}
			}
			if m, err := ParseBulkExecute(in, int(params), types); err == nil {
				m.Each(func(_ int, _ byte, p Param) { count(p) })
				if m.Rows > len(in) {
					t.Fatalf("%d rows in %d bytes", m.Rows, len(in))
				}
			}
		}
		if size > 20*len(in) {
			t.Fatalf("values of %d bytes in %d", size, len(in))
		}
		_, _ = ParseFieldList(in)
		_, _ = ParseFetch(in)
		_, _ = ParseLongData(in)
		if id, err := StatementOf(in); err == nil {
			b := bytes.Clone(in)
			if SetStatement(b, id); !bytes.Equal(b, in) {
				t.Fatal("the same ID is another one")
			}
		}
	})
}

func TestNamesEndAtNUL(t *testing.T) {
	l := Login{Capabilities: fullCaps, User: "ana\x00admin", Database: "shop\x00", AuthPlugin: PluginNative}
	got, err := ParseLogin(AppendLogin(nil, &l), fullCaps)
	if err != nil || got.User != "ana" || got.Database != "shop" || !strings.HasPrefix(got.AuthPlugin, PluginNative) {
		t.Errorf("%+v, %v", got, err)
	}
}
