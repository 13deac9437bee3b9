package random

import (
	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// reduction is sql with the i-th change of its syntax tree: a part left out,
// or replaced by a part of itself or by a constant. Large parts come first.
// It is empty where the change makes no statement, and ok is false after the last.
func reduction(sql string, i int) (text string, ok bool) {
	tree, err := pg.Parse(sql)
	if err != nil {
		return "", false
	}
	n := 0
	var chosen edit
	visit(tree.ProtoReflect(), func(e edit) {
		if n == i {
			chosen = e
		}
		n++
	})
	if chosen == nil {
		return "", false
	}
	chosen()
	text, _ = deparse(tree)
	return text, true
}

func deparse(tree *pg.ParseResult) (text string, ok bool) {
	text, err := pg.Deparse(tree)
	if err != nil || text == "" {
		return "", false
	}
	if _, err = pg.Parse(text); err != nil {
		return "", false
	}
	return text, true
}

// edit changes the tree that is being visited.
type edit func()

// visit offers every change below a message.
func visit(m protoreflect.Message, offer func(edit)) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if f.Kind() != protoreflect.MessageKind || !m.Has(f) {
			continue
		}
		if f.IsList() {
			list := m.Mutable(f).List()
			for j := range list.Len() {
				offer(func() { remove(list, j) })
				hoist(list.Get(j).Message(), offer)
				visit(list.Get(j).Message(), offer)
			}
			continue
		}
		if f.ContainingOneof() == nil {
			offer(func() { m.Clear(f) })
		}
		child := m.Mutable(f).Message()
		hoist(child, offer)
		visit(child, offer)
	}
}

func remove(list protoreflect.List, i int) {
	for j := i; j+1 < list.Len(); j++ {
		list.Set(j, list.Get(j+1))
	}
	list.Truncate(list.Len() - 1)
}

// hoist offers to replace a node by a node below it, or by a constant.
func hoist(m protoreflect.Message, offer func(edit)) {
	node, ok := m.Interface().(*pg.Node)
	if !ok || node.Node == nil {
		return
	}
	switch node.Node.(type) {
	case *pg.Node_AConst, *pg.Node_String_, *pg.Node_RangeVar, *pg.Node_ResTarget, *pg.Node_List, *pg.Node_DefElem, *pg.Node_Integer:
		return
	}
	for _, below := range nodesBelow(m, 0) {
		offer(func() { node.Node = proto.CloneOf(below).Node })
	}
	offer(func() { node.Node = pg.MakeAConstIntNode(1, 0).Node })
}

// nodesBelow lists the nearest nodes under a message, without itself.
func nodesBelow(m protoreflect.Message, depth int) []*pg.Node {
	var out []*pg.Node
	if depth > 4 {
		return nil
	}
	take := func(c protoreflect.Message) {
		n, ok := c.Interface().(*pg.Node)
		if !ok {
			out = append(out, nodesBelow(c, depth+1)...)
			return
		}
		switch n.Node.(type) {
		case *pg.Node_String_, *pg.Node_Integer, *pg.Node_DefElem:
		case *pg.Node_ResTarget, *pg.Node_List:
			out = append(out, nodesBelow(c, depth+1)...)
		default:
			out = append(out, n)
		}
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		switch {
		case f.Kind() != protoreflect.MessageKind || !m.Has(f):
		case f.IsList():
			for j := range m.Get(f).List().Len() {
				take(m.Get(f).List().Get(j).Message())
			}
		default:
			take(m.Get(f).Message())
		}
	}
	return out
}
