package upstream

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/weirdb/weir/protocol/mywire"
)

// allTypes is a row of every type of MariaDB 10.11: definition and value.
var allTypes = []struct{ definition, value string }{
	{"tinyint", "-128"}, {"tinyint unsigned", "255"}, {"smallint", "-32768"}, {"smallint unsigned", "65535"},
	{"mediumint", "-8388608"}, {"mediumint unsigned", "16777215"}, {"int", "-2147483648"}, {"int unsigned", "4294967295"},
	{"bigint", "-9223372036854775808"}, {"bigint unsigned", "18446744073709551615"}, {"int(5) zerofill", "42"},
	{"year", "2026"}, {"bit(12)", "b'101010101010'"}, {"boolean", "true"},
	{"float", "-1.5"}, {"double", "1e300"}, {"decimal(65,30)", "-12345.678"}, {"decimal(5)", "0"},
	{"date", "'2026-01-02'"}, {"date", "'0000-00-00'"}, {"datetime", "'2026-01-02 03:04:05'"}, {"datetime", "'2026-01-02 00:00:00'"},
	{"datetime(6)", "'2026-01-02 03:04:05.000006'"}, {"datetime(3)", "'0000-00-00 00:00:00'"}, {"timestamp", "'2026-01-02 03:04:05'"},
	{"time", "'-838:59:59'"}, {"time(6)", "'01:02:03.000400'"}, {"time", "'00:00:00'"}, {"time(2)", "'30:00:00.5'"},
	{"char(5)", "'é'"}, {"varchar(400)", "repeat('x', 300)"}, {"binary(4)", "x'00ff'"}, {"varbinary(4)", "x'00ff'"},
	{"tinytext", "'a'"}, {"text", "repeat('y', 60000)"}, {"mediumtext", "repeat('z', 70000)"}, {"longtext", "''"},
	{"blob", "x'00'"}, {"longblob", "null"}, {"enum('a','b')", "'b'"}, {"set('a','b','c')", "'a,c'"},
	{"json", `'{"a": 1}'`}, {"inet6", "'::1'"}, {"uuid", "'123e4567-e89b-12d3-a456-426655440000'"}, {"point", "point(1, 2)"},
	{"int", "null"}, {"varchar(5)", "''"},
}

// prepared runs a statement in the binary protocol and returns its columns and
// rows.
func prepared(t *testing.T, c *Conn, sql string) (columns []mywire.Column, rows [][]byte) {
	t.Helper()
	next := func() ([]byte, mywire.Header) {
		t.Helper()
		body, h, err := c.next()
		if err != nil {
			t.Fatal(err)
		}
		return slices.Clone(body), h
	}
	send := func(payload []byte) {
		t.Helper()
		if err := c.Writer.Command(payload); err != nil {
			t.Fatal(err)
		}
		if err := c.Writer.Flush(); err != nil {
			t.Fatal(err)
		}
		c.Reader.SetSeq(c.Writer.Seq())
	}
	definitions := func(n int) {
		t.Helper()
		columns = nil
		for range n {
			body, _ := next()
			col, err := mywire.ParseColumn(body, c.Capabilities)
			if err != nil {
				t.Fatal(err)
			}
			columns = append(columns, col)
		}
		if n > 0 && !c.Capabilities.Has(mywire.CapDeprecateEOF) {
			next()
		}
	}
	send(mywire.AppendText(nil, mywire.ComStmtPrepare, sql))
	body, _ := next()
	p, err := mywire.ParsePrepared(body)
	if err != nil {
		t.Fatal(err)
	}
	definitions(p.Params)
	definitions(p.Columns)
	execute := mywire.AppendStatement(nil, mywire.ComStmtExecute, p.Statement)
	send(append(execute, 0, 1, 0, 0, 0))
	body, _ = next()
	count, err := mywire.ParseColumnCount(body, c.Capabilities)
	if err != nil || count.Columns != p.Columns {
		t.Fatal(count, err)
	}
	if count.Definitions {
		definitions(count.Columns)
	} else if !c.Capabilities.Has(mywire.CapDeprecateEOF) {
		next()
	}
	for {
		body, h := next()
		if mywire.RowEnds(h) {
			break
		}
		rows = append(rows, body)
	}
	if err := c.Writer.Command(mywire.AppendStatement(nil, mywire.ComStmtClose, p.Statement)); err != nil {
		t.Fatal(err)
	}
	return columns, rows
}

// text prints a cell of the binary protocol as the text protocol has it.
func text(col mywire.Column, cell []byte) (string, error) {
	switch {
	case cell == nil:
		return "NULL", nil
	case col.Type.Lenenc():
		return string(cell), nil
	case col.Type == mywire.TypeFloat || col.Type == mywire.TypeDouble:
		f, ok := mywire.DecodeFloat(col.Type, cell)
		if !ok {
			return "", fmt.Errorf("float %x", cell)
		}
		return strings.Replace(strconv.FormatFloat(f, 'g', -1, 64), "e+", "e", 1), nil
	case col.Type == mywire.TypeTime:
		d, ok := mywire.DecodeDuration(cell)
		if !ok {
			return "", fmt.Errorf("time %x", cell)
		}
		sign := ""
		if d.Negative {
			sign = "-"
		}
		return fmt.Sprintf("%s%02d:%02d:%02d", sign, d.Days*24+uint32(d.Hour), d.Minute, d.Second) + fraction(d.Micro, col.Decimals), nil
	case col.Type.Temporal():
		d, ok := mywire.DecodeDate(cell)
		if !ok {
			return "", fmt.Errorf("date %x", cell)
		}
		s := fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day)
		if col.Type != mywire.TypeDate {
			s += fmt.Sprintf(" %02d:%02d:%02d", d.Hour, d.Minute, d.Second) + fraction(d.Micro, col.Decimals)
		}
		return s, nil
	}
	n, u, ok := mywire.DecodeInt(col.Type, col.Flags&mywire.FlagUnsigned != 0, cell)
	if !ok {
		return "", fmt.Errorf("integer %x", cell)
	}
	if col.Flags&mywire.FlagUnsigned == 0 {
		return strconv.FormatInt(n, 10), nil
	}
	s := strconv.FormatUint(u, 10)
	if col.Flags&mywire.FlagZerofill != 0 && col.Type != mywire.TypeYear {
		s = strings.Repeat("0", int(col.Length)-len(s)) + s
	}
	return s, nil
}

func fraction(micro uint32, decimals byte) string {
	if decimals == 0 || decimals > 6 {
		return ""
	}
	return "." + fmt.Sprintf("%06d", micro)[:decimals]
}

// TestLiveTypes reads a row of every type in both protocols, under every kind
// of metadata, and compares.
func TestLiveTypes(t *testing.T) {
	var definitions, values []string
	for i, typ := range allTypes {
		definitions = append(definitions, fmt.Sprintf("c%d %s", i, typ.definition))
		values = append(values, typ.value)
	}
	everything := mywire.CapDeprecateEOF | mywire.CapExtendedMetadata | mywire.CapCacheMetadata
	for _, caps := range []mywire.Capabilities{0, mywire.CapDeprecateEOF, mywire.CapExtendedMetadata, everything} {
		cfg := config(t, "native", "nativé ½")
		cfg.Capabilities, cfg.Database = caps, "shop"
		c, err := Dial(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		for _, sql := range []string{"set sql_mode = ''", "create or replace table kinds (" + strings.Join(definitions, ", ") + ")",
			"insert into kinds values (" + strings.Join(values, ", ") + ")"} {
			if _, err := c.Query(sql, nil); err != nil {
				t.Fatal(err)
			}
		}
		var want []string
		if _, err := c.Query("select * from kinds k", func(cells [][]byte) error {
			for _, cell := range cells {
				if cell == nil {
					want = append(want, "NULL")
				} else {
					want = append(want, string(cell))
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		columns, rows := prepared(t, c, "select * from kinds k")
		if len(rows) != 1 || len(columns) != len(allTypes) || len(want) != len(allTypes) {
			t.Fatalf("%d rows, %d columns, %d texts", len(rows), len(columns), len(want))
		}
		types := make([]mywire.Type, len(columns))
		for i, col := range columns {
			types[i] = col.Type
			if string(col.Schema) != "shop" || string(col.Table) != "k" || string(col.OrgTable) != "kinds" || string(col.OrgName) != fmt.Sprintf("c%d", i) {
				t.Errorf("column %d: %+v", i, col)
			}
		}
		row, err := mywire.NewBinaryRow(rows[0], types)
		if err != nil {
			t.Fatal(err)
		}
		for row.Next() {
			i := row.Index()
			if got, err := text(columns[i], row.Cell()); err != nil || got != want[i] {
				t.Errorf("%s: %.40q, %v; the text protocol says %.40q", allTypes[i].definition, got, err, want[i])
			}
		}
		if err := row.Err(); err != nil {
			t.Error(err)
		}
		if caps.Has(mywire.CapExtendedMetadata) {
			checkExtended(t, columns)
		}
		c.Close()
	}
}

func checkExtended(t *testing.T, columns []mywire.Column) {
	t.Helper()
	for i, typ := range allTypes {
		name, format := columns[i].ExtendedEntry(mywire.ExtendedTypeName), columns[i].ExtendedEntry(mywire.ExtendedFormat)
		switch typ.definition {
		case "inet6", "uuid", "point":
			if string(name) != typ.definition {
				t.Errorf("%s: extended name %q", typ.definition, name)
			}
		case "json":
			if string(format) != "json" {
				t.Errorf("json: extended format %q", format)
			}
		default:
			if name != nil || format != nil {
				t.Errorf("%s: extended %q %q", typ.definition, name, format)
			}
		}
	}
}

// TestLiveParameters sends parameters of many types, in a bulk too, as this
// package reads them from clients, and compares what the server makes of them.
func TestLiveParameters(t *testing.T) {
	cfg := config(t, "native", "nativé ½")
	cfg.Capabilities, cfg.Database = mywire.CapDeprecateEOF|mywire.CapBulkOperations, "shop"
	c, err := Dial(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Query("create or replace table bulk (a int, b varchar(20) default 'none')", nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Writer.Command(mywire.AppendText(nil, mywire.ComStmtPrepare, "insert into bulk values (?, ?)")); err != nil {
		t.Fatal(err)
	}
	if err := c.Writer.Flush(); err != nil {
		t.Fatal(err)
	}
	c.Reader.SetSeq(c.Writer.Seq())
	body, _, err := c.next()
	if err != nil {
		t.Fatal(err)
	}
	p, err := mywire.ParsePrepared(body)
	if err != nil || p.Params != 2 {
		t.Fatal(p, err)
	}
	for range p.Params {
		if _, _, err := c.next(); err != nil {
			t.Fatal(err)
		}
	}
	bulk := mywire.AppendStatement(nil, mywire.ComStmtBulkExecute, p.Statement)
	bulk = binary.LittleEndian.AppendUint16(bulk, mywire.BulkSendTypes)
	bulk = append(bulk, byte(mywire.TypeLong), 0, byte(mywire.TypeVarString), 0)
	for i := range uint32(3) {
		bulk = binary.LittleEndian.AppendUint32(append(bulk, mywire.BulkValue), i)
		switch i {
		case 0:
			bulk = mywire.AppendLenencString(append(bulk, mywire.BulkValue), []byte("zero"))
		case 1:
			bulk = append(bulk, mywire.BulkNull)
		case 2:
			bulk = append(bulk, mywire.BulkDefault)
		}
	}
	if m, err := mywire.ParseBulkExecute(bulk, 2, nil); err != nil || m.Rows != 3 {
		t.Fatal(m, err)
	}
	if err := c.Writer.Command(bulk); err != nil {
		t.Fatal(err)
	}
	if err := c.Writer.Flush(); err != nil {
		t.Fatal(err)
	}
	c.Reader.SetSeq(c.Writer.Seq())
	if body, _, err = c.next(); err != nil {
		t.Fatal(err)
	}
	if ok, err := mywire.ParseOK(body, c.Capabilities); err != nil || ok.AffectedRows != 3 || string(ok.Info) != "Records: 3  Duplicates: 0  Warnings: 0" {
		t.Errorf("%+v, %v", ok, err)
	}
	if got := one(t, c, "select group_concat(a, '=', ifnull(b, 'NULL') order by a) from bulk"); got != "0=zero,1=NULL,2=none" {
		t.Errorf("the server has %q", got)
	}
}

// TestLiveParameterTypes asks the server how long it takes a value of each type
// to be, which has to be what ParseExecute reads, or a type that it refuses.
func TestLiveParameterTypes(t *testing.T) {
	cfg := config(t, "native", "nativé ½")
	cfg.Capabilities = mywire.CapDeprecateEOF
	c, err := Dial(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	send := func(payload []byte) ([]byte, error) {
		t.Helper()
		if err := c.Writer.Command(payload); err != nil {
			t.Fatal(err)
		}
		if err := c.Writer.Flush(); err != nil {
			t.Fatal(err)
		}
		c.Reader.SetSeq(c.Writer.Seq())
		body, _, err := c.next()
		return body, err
	}
	body, err := send(mywire.AppendText(nil, mywire.ComStmtPrepare, "select ? is null, ?"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := mywire.ParsePrepared(body)
	if err != nil {
		t.Fatal(err)
	}
	for range p.Params + p.Columns {
		if _, _, err := c.next(); err != nil {
			t.Fatal(err)
		}
	}
	read := 0
	for typ := range 256 {
		execute := append(mywire.AppendStatement(nil, mywire.ComStmtExecute, p.Statement), 0, 1, 0, 0, 0, 0, 1, byte(typ), 0, byte(mywire.TypeVarString), 0)
		// Strings of one byte each, behind whose first the second value begins
		// wherever the first one ends; a date of no bytes.
		first := []byte("\x01A")
		if mywire.Type(typ).Temporal() {
			first = []byte{0}
		}
		execute = append(append(execute, first...), "\x01B\x01C\x01D\x01E"...)
		parsed := -1
		for end := len(execute) - 9; end <= len(execute); end++ {
			if m, err := mywire.ParseExecute(execute[:end], 2, nil, nil, 0); err == nil {
				parsed = end
				m.Params.Each(func(v mywire.Param) { body = v.Value })
				break
			}
		}
		want := string(body)
		if parsed < 0 {
			continue
		}
		read++
		if _, err := send(execute[:parsed]); err != nil {
			if typ != int(mywire.TypeJSON) && typ != int(mywire.TypeVector) { // MySQL's
				t.Errorf("type %d: %v", typ, err)
			}
			continue
		}
		for range 2 {
			if _, _, err := c.next(); err != nil {
				t.Fatal(err)
			}
		}
		cells, _, err := c.next()
		if err != nil {
			t.Fatal(err)
		}
		if got := string(cells[len(cells)-len(want):]); got != want || want == "" {
			t.Errorf("type %d: the server reads %q, this package %q", typ, cells, want)
		}
		if _, _, err := c.next(); err != nil {
			t.Fatal(err)
		}
	}
	if read < 20 {
		t.Errorf("only %d types are read at all", read)
	}
}

// TestLiveTypesAreSentOnce shows why AppendExecute is there: a server that has
// not got the types reads nothing right.
func TestLiveTypesAreSentOnce(t *testing.T) {
	cfg := config(t, "native", "nativé ½")
	cfg.Capabilities = mywire.CapDeprecateEOF
	c, err := Dial(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// A reply to either command is of four packets; the third of a result is its row.
	send := func(payload []byte) (reply [4]string, err error) {
		t.Helper()
		if err := c.Writer.Command(payload); err != nil {
			t.Fatal(err)
		}
		if err := c.Writer.Flush(); err != nil {
			t.Fatal(err)
		}
		c.Reader.SetSeq(c.Writer.Seq())
		for i := range reply {
			body, _, err := c.next()
			if err != nil {
				return reply, err
			}
			reply[i] = string(body)
		}
		return reply, nil
	}
	reply, err := send(mywire.AppendText(nil, mywire.ComStmtPrepare, "select concat(?, '-', ?)"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := mywire.ParsePrepared([]byte(reply[0]))
	if err != nil {
		t.Fatal(err)
	}
	execute := append(mywire.AppendStatement(nil, mywire.ComStmtExecute, p.Statement), "\x00\x01\x00\x00\x00\x00\x00\x05\x00\x00\x00\x02ab"...)
	types := []mywire.ParamType{{Type: mywire.TypeLong}, {Type: mywire.TypeVarString}}
	if _, err := mywire.ParseExecute(execute, 2, types, nil, 0); err != nil {
		t.Fatal(err)
	}
	const row = "\x00\x00\x045-ab"
	if got, err := send(execute); err == nil && got[2] == row {
		t.Errorf("without types, the server reads %q", got)
	}
	if got, err := send(mywire.AppendExecute(nil, execute, types)); err != nil || got[2] != row {
		t.Errorf("with types, the server reads %q, %v", got, err)
	}
	if got, err := send(execute); err != nil || got[2] != row {
		t.Errorf("without types again, the server reads %q, %v", got, err)
	}
}
