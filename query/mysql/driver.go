package mysql

import (
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/format"
)

// setDriver gives the grammar its constructors of literals: it keeps them in
// variables of its own package. The ones that come with it panic on long numbers.
var setDriver = sync.OnceFunc(func() {
	ast.NewValueExpr = func(value any, charset, _ string) ast.ValueExpr {
		if l, ok := value.(*Literal); ok {
			return l
		}
		return &Literal{Value: value, Charset: charset}
	}
	ast.NewParamMarkerExpr = func(offset int) ast.ParamMarkerExpr { return &Marker{Offset: offset} }
	ast.NewDecimal = func(s string) (any, error) { return Number(s), nil }
	ast.NewHexLiteral = func(s string) (any, error) { return Hex(s), nil }
	ast.NewBitLiteral = func(s string) (any, error) { return Bits(s), nil }
})

// Number is a decimal number as it is written, Hex and Bits are x'…', 0x…, b'…'
// and 0b… as they are written.
type (
	Number string
	Hex    string
	Bits   string
)

// Literal is a constant in a statement. Value is nil for NULL, int64 or uint64
// for an integer (bool for TRUE and FALSE), Number, float64, string, Hex or Bits.
type Literal struct {
	ast.TexprNode
	Value      any
	Charset    string
	projection int
}

// SetValue implements ast.ValueExpr.
func (n *Literal) SetValue(v any) { n.Value = v }

// GetValue implements ast.ValueExpr.
func (n *Literal) GetValue() any { return n.Value }

// GetDatumString implements ast.ValueExpr.
func (n *Literal) GetDatumString() string { return n.GetString() }

// GetString implements ast.ValueExpr. It is empty for everything but strings.
func (n *Literal) GetString() string {
	s, _ := n.Value.(string)
	return s
}

// GetProjectionOffset implements ast.ValueExpr.
func (n *Literal) GetProjectionOffset() int { return n.projection }

// SetProjectionOffset implements ast.ValueExpr.
func (n *Literal) SetProjectionOffset(offset int) { n.projection = offset }

// Restore implements ast.Node: the literal as it can be read again.
func (n *Literal) Restore(ctx *format.RestoreCtx) error {
	switch v := n.Value.(type) {
	case nil:
		ctx.WriteKeyWord("NULL")
	case bool:
		ctx.WriteKeyWord(strings.ToUpper(fmt.Sprint(v)))
	case string:
		if n.Charset != "" && n.Charset != "utf8mb4" {
			ctx.WritePlain("_" + n.Charset)
		}
		ctx.WriteString(v)
	default:
		ctx.WritePlain(fmt.Sprint(v))
	}
	return nil
}

// Format implements ast.ExprNode.
func (n *Literal) Format(w io.Writer) { fmt.Fprint(w, n.Value) }

// Accept implements ast.Node.
func (n *Literal) Accept(v ast.Visitor) (ast.Node, bool) {
	node, skip := v.Enter(n)
	if skip {
		return v.Leave(node)
	}
	return v.Leave(node)
}

// Marker is a parameter (?).
type Marker struct {
	Literal
	Offset int // byte offset in the text of the statement
	Order  int // from 0
}

// SetOrder implements ast.ParamMarkerExpr.
func (n *Marker) SetOrder(order int) { n.Order = order }

// Restore implements ast.Node.
func (n *Marker) Restore(ctx *format.RestoreCtx) error {
	ctx.WritePlain("?")
	return nil
}

// Format implements ast.ExprNode.
func (n *Marker) Format(w io.Writer) { fmt.Fprint(w, "?") }

// Accept implements ast.Node.
func (n *Marker) Accept(v ast.Visitor) (ast.Node, bool) {
	node, skip := v.Enter(n)
	if skip {
		return v.Leave(node)
	}
	return v.Leave(node)
}
