package pgsql

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// estimate is the depth that the gate sees in a text.
func estimate(text string) int {
	g := gate{lx: lexer{text: text}}
	g.levels = g.inline[:1]
	for t := g.lx.next(); t.kind != tokenEnd && t.kind != tokenBad; t = g.lx.next() {
		g.token(t)
	}
	return g.depth()
}

// messageDepth is how many messages are inside one another.
func messageDepth(m protoreflect.Message) int {
	deepest := 0
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if fd.Kind() != protoreflect.MessageKind {
			return true
		}
		if fd.IsList() {
			for i := range v.List().Len() {
				deepest = max(deepest, messageDepth(v.List().Get(i).Message()))
			}
		} else {
			deepest = max(deepest, messageDepth(v.Message()))
		}
		return true
	})
	return deepest + 1
}

// The gate's promise: the estimate is never below what the parser makes.
func TestEstimateIsNeverBelowTheTree(t *testing.T) {
	for _, f := range families {
		for _, n := range []int{1, 2, 7, 40} {
			text := f.make(n)
			if len(text) > 1<<20 {
				continue
			}
			tree, err := parse(text)
			if err != nil {
				if n < 8 && !strings.HasPrefix(f.name, "comment openers") && f.name != "at run" && f.name != "string comments" {
					t.Errorf("%s %d: %v: %.200s", f.name, n, err, text)
				}
				continue
			}
			if got, real := estimate(text), messageDepth(tree.ProtoReflect()); got < real {
				t.Errorf("%s %d: estimate %d, depth %d: %.200s", f.name, n, got, real, text)
			}
		}
	}
}

var _ = []any{bytes.NewReader, context.Background, fmt.Sprint, os.Args, exec.Command, strconv.Itoa, time.Now}
