package mywire

import "encoding/binary"

// maxParams is the largest number of parameters that a statement can have.
const maxParams = 1<<16 - 1

// ParamType is a parameter's type as a client sends it.
type ParamType struct {
	Type     Type
	Unsigned bool
	Name     []byte // of a query attribute; empty for a parameter in its place
}

// Params are values of parameters or query attributes inside a payload that
// has been checked.
type Params struct {
	nulls []byte
	types []ParamType
	b     []byte
	// long, if it is not nil, tells which parameters came by
	// COM_STMT_SEND_LONG_DATA and have no value here.
	long func(i int) bool
}

// Len returns how many there are.
func (p *Params) Len() int { return len(p.types) }

// Type returns the type of parameter i.
func (p *Params) Type(i int) ParamType { return p.types[i] }

// Param is one parameter's value.
type Param struct {
	ParamType
	Index int
	Null  bool
	Long  bool   // it came by COM_STMT_SEND_LONG_DATA, and Value is nil
	Value []byte // content, without the length before it; nil for NULL
}

// Each calls f with each parameter, in order.
func (p *Params) Each(f func(Param)) {
	b := p.b
	for i, t := range p.types {
		v := Param{ParamType: t, Index: i}
		switch {
		case p.long != nil && p.long(i):
			v.Long = true
		case isNull(p.nulls, i, 0):
			v.Null = true
		default:
			prefix, n := valueSize(t.Type, b)
			v.Value = b[prefix : prefix+n : prefix+n]
			b = b[prefix+n:]
		}
		f(v)
	}
}

// parameter reports whether clients may send values of the type. Left out are
// those that MySQL and MariaDB read in different ways: as no bytes at all, as
// bytes behind a length, or as results have them.
func (t Type) parameter() bool {
	switch t {
	case TypeInt24, TypeYear, TypeBit, TypeGeometry:
		return false
	}
	return t.Known()
}

type paramsForm uint8

const (
	paramsPlain paramsForm = iota
	paramsNamed            // names follow types (CapQueryAttributes)
)

// count yields a number of parameters that the rest of the payload can hold.
func (c *cursor) count(want string) int {
	n := c.lenenc(want)
	if c.err == nil && n > maxParams {
		c.fail("at most 65535 parameters")
		return 0
	}
	return int(n)
}

// params decodes a NULL bitmap, types that have to be there, and values.
func (c *cursor) params(n int, form paramsForm) Params {
	p := Params{nulls: c.bytes(nullBytes(n, 0), "a NULL bitmap")}
	c.is(1, "types of the values")
	p.types = c.paramTypes(n, form)
	p.b = c.values(&p)
	if c.err != nil {
		return Params{}
	}
	return p
}

func (c *cursor) paramTypes(n int, form paramsForm) []ParamType {
	if c.left() < 2*n {
		c.fail("types of all parameters")
		return nil
	}
	types := make([]ParamType, 0, n)
	for range n {
		t := ParamType{Type: Type(c.byte("a type"))}
		t.Unsigned = c.byte("a flag")&0x80 != 0
		if c.err == nil && !t.Type.parameter() {
			c.off -= 2
			c.fail("a type that parameters can have")
		}
		if form == paramsNamed {
			t.Name = c.text("a name")
		}
		if c.err != nil {
			return nil
		}
		types = append(types, t)
	}
	return types
}

// values checks that the values are there and yields their bytes.
func (c *cursor) values(p *Params) []byte {
	start := c.off
	for i, t := range p.types {
		if c.err != nil {
			return nil
		}
		if p.long != nil && p.long(i) || isNull(p.nulls, i, 0) {
			continue
		}
		prefix, n := valueSize(t.Type, c.b[c.off:])
		if n < 0 || t.Type == TypeNull {
			c.fail("a value of the parameter's type")
			return nil
		}
		c.off += prefix + n
	}
	if c.err != nil {
		return nil
	}
	return c.b[start:c.off:c.off]
}

// Flags of COM_STMT_EXECUTE.
const (
	CursorReadOnly   = 1
	CursorForUpdate  = 2
	CursorScrollable = 4
	ParamCountGiven  = 8 // with CapQueryAttributes
)

// ExecuteMsg is COM_STMT_EXECUTE.
type ExecuteMsg struct {
	Statement uint32
	Flags     byte
	NewTypes  bool // the packet carries types; remember Params' for the next
	Params    Params
	// Attributes is how many of Params, at their end, are query attributes.
	Attributes int
}

// ParseExecute decodes COM_STMT_EXECUTE for a statement of so many parameters,
// whose types an earlier execution may have sent (known), and of which long
// tells those that were sent by COM_STMT_SEND_LONG_DATA; it may be nil.
// ParseStatement's ID comes first in it: StatementOf.
func ParseExecute(body []byte, params int, known []ParamType, long func(i int) bool, caps Capabilities) (ExecuteMsg, error) {
	c := command(body, ComStmtExecute)
	m := ExecuteMsg{Statement: c.uint32("a statement ID"), Flags: c.byte("flags")}
	c.uint32("a number of iterations") // always 1, which servers do not look at
	form, n := paramsPlain, params
	if caps.Has(CapQueryAttributes) && (params > 0 || m.Flags&ParamCountGiven != 0) {
		form = paramsNamed
		if m.Flags&ParamCountGiven != 0 {
			n = c.count("a number of parameters")
			if c.err == nil && n < params {
				c.fail("at least as many parameters as the statement has")
			}
			m.Attributes = n - params
		}
	}
	if n == 0 || c.err != nil {
		return m, c.end()
	}
	p := Params{nulls: c.bytes(nullBytes(n, 0), "a NULL bitmap"), types: known, long: long}
	switch c.byte("whether types follow") {
	case 0:
		if c.err == nil && len(known) != n {
			c.fail("types of parameters, which have not been sent before")
		}
	default:
		m.NewTypes = true
		p.types = c.paramTypes(n, form)
	}
	p.b = c.values(&p)
	m.Params = p
	return m, c.end()
}

// executeHead is what stands before the NULL bitmap of COM_STMT_EXECUTE.
const executeHead = 10

// AppendExecute appends a COM_STMT_EXECUTE that ParseExecute has read, without
// query attributes, and that carries no types, with the types of its parameters:
// a client sends them once, and a server that did not get that execution needs
// them with the next one.
func AppendExecute(dst, body []byte, types []ParamType) []byte {
	n := executeHead + nullBytes(len(types), 0)
	dst = appendTypes(append(append(dst, body[:n]...), 1), types)
	return append(dst, body[n+1:]...)
}

func appendTypes(dst []byte, types []ParamType) []byte {
	for _, t := range types {
		flag := byte(0)
		if t.Unsigned {
			flag = 0x80
		}
		dst = append(dst, byte(t.Type), flag)
	}
	return dst
}

// bulkHead is what stands before the types or rows of COM_STMT_BULK_EXECUTE.
const bulkHead = 7

// AppendBulkExecute is AppendExecute for a COM_STMT_BULK_EXECUTE.
func AppendBulkExecute(dst, body []byte, types []ParamType) []byte {
	dst = append(dst, body[:bulkHead]...)
	binary.LittleEndian.PutUint16(dst[len(dst)-2:], binary.LittleEndian.Uint16(body[bulkHead-2:])|BulkSendTypes)
	return append(appendTypes(dst, types), body[bulkHead:]...)
}

// Flags of COM_STMT_BULK_EXECUTE.
const (
	BulkReturnIDs = 64
	BulkSendTypes = 128
)

// Indicators before the values of COM_STMT_BULK_EXECUTE.
const (
	BulkValue   = 0
	BulkNull    = 1
	BulkDefault = 2
	BulkIgnore  = 3
)

// BulkExecute is MariaDB's COM_STMT_BULK_EXECUTE: one execution for each row of
// parameters.
type BulkExecute struct {
	Statement uint32
	Flags     uint16
	Types     []ParamType
	Rows      int
	b         []byte
}

// ParseBulkExecute decodes COM_STMT_BULK_EXECUTE for a statement of so many
// parameters, whose types an earlier execution may have sent (known).
func ParseBulkExecute(body []byte, params int, known []ParamType) (BulkExecute, error) {
	c := command(body, ComStmtBulkExecute)
	m := BulkExecute{Statement: c.uint32("a statement ID"), Flags: c.uint16("flags"), Types: known}
	if m.Flags&BulkSendTypes != 0 {
		m.Types = c.paramTypes(params, paramsPlain)
	}
	if c.err == nil && (params == 0 || len(m.Types) != params) {
		c.fail("types of one or more parameters")
	}
	start := c.off
	for c.left() > 0 {
		for _, t := range m.Types {
			c.bulkValue(t.Type)
		}
		m.Rows++
	}
	if c.err == nil {
		m.b = c.b[start:c.off:c.off]
	}
	return m, c.end()
}

func (c *cursor) bulkValue(t Type) {
	switch ind := c.byte("an indicator"); {
	case c.err != nil || ind == BulkNull || ind == BulkDefault || ind == BulkIgnore:
	case ind != BulkValue:
		c.off--
		c.fail("an indicator of 0 to 3")
	default:
		prefix, n := valueSize(t, c.b[c.off:])
		if n < 0 || t == TypeNull {
			c.fail("a value of the parameter's type")
			return
		}
		c.off += prefix + n
	}
}

// Each calls f with each row's parameters in order; indicator is BulkValue,
// BulkNull, BulkDefault or BulkIgnore.
func (m *BulkExecute) Each(f func(row int, indicator byte, p Param)) {
	b := m.b
	for row := range m.Rows {
		for i, t := range m.Types {
			p := Param{ParamType: t, Index: i}
			ind := b[0]
			b = b[1:]
			if ind == BulkValue {
				prefix, n := valueSize(t.Type, b)
				p.Value = b[prefix : prefix+n : prefix+n]
				b = b[prefix+n:]
			}
			p.Null = ind == BulkNull
			f(row, ind, p)
		}
	}
}
