package pgsql

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"unicode/utf8"

	pg "github.com/pganalyze/pg_query_go/v6"
	"github.com/pganalyze/pg_query_go/v6/parser"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// parse reads a text that the gate admits under lim.
func parse(text string) (*pg.ParseResult, *TextError) { return parseLimited(text, Limits{}) }

func parseLimited(text string, lim Limits) (tree *pg.ParseResult, terr *TextError) {
	if terr := Admit(text, lim); terr != nil {
		return nil, terr
	}
	defer func() {
		if p := recover(); p != nil {
			tree, terr = nil, &TextError{Code: "XX000", Message: fmt.Sprintf("parser failed: %v", p), Pos: -1}
		}
	}()
	raw, err := parseToProtobuf(text)
	if err != nil {
		return nil, parserError(text, err)
	}
	tree = &pg.ParseResult{}
	if err := proto.Unmarshal(raw, tree); err != nil {
		return nil, &TextError{Code: "54001", Message: "statement too complex", Pos: -1}
	}
	return tree, nil
}

func parseToProtobuf(text string) ([]byte, error) {
	parserBegin()
	defer parserEnd()
	return parser.ParseToProtobuf(text)
}

// fingerprint groups texts of a shape; empty if there is none. The text must
// have been admitted.
func fingerprint(text string) string {
	parserBegin()
	defer parserEnd()
	s, err := parser.FingerprintToHexStr(text)
	if err != nil {
		return ""
	}
	return s
}

// minStack is the stack of a thread that the gate's limits are made for.
const minStack = 2 << 20

// CheckStack says whether the threads of this process have a stack that the
// parser can work in: they take the limit on stacks at the program's start.
func CheckStack() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_STACK, &limit); err != nil {
		return fmt.Errorf("check stack: %w", err)
	}
	return stackSuffices(limit.Cur)
}

func stackSuffices(limit uint64) error {
	if limit < minStack { // no limit gives 2 MB
		return fmt.Errorf("check stack: the stack limit is %d kB, the SQL parser needs %d (ulimit -s %d)", limit>>10, minStack>>10, minStack>>10)
	}
	return nil
}

const (
	// maxDeparse bounds the messages inside one another that deparse accepts:
	// the printer needs up to 930 bytes of stack for each.
	maxDeparse = 1_000
	// maxMessages is more than proto.Unmarshal accepts.
	maxMessages = 20_000
)

// deparse prints a tree as a text.
func deparse(tree *pg.ParseResult) (string, *TextError) {
	if messageDepth(tree.ProtoReflect(), maxDeparse+1) > maxDeparse {
		return "", &TextError{Code: "54001", Message: "statement too complex to be rewritten", Pos: -1}
	}
	text, err := pg.Deparse(tree)
	if err != nil {
		return "", &TextError{Code: "XX000", Message: "statement cannot be printed: " + err.Error(), Pos: -1}
	}
	return text, nil
}

// messageDepth is how many messages are inside one another in m, or limit if
// that is less.
func messageDepth(m protoreflect.Message, limit int) int {
	deepest := 0
	if limit <= 1 {
		return limit
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.Kind() != protoreflect.MessageKind:
		case fd.IsList():
			for i := range v.List().Len() {
				deepest = max(deepest, messageDepth(v.List().Get(i).Message(), limit-1))
			}
		default:
			deepest = max(deepest, messageDepth(v.Message(), limit-1))
		}
		return true
	})
	return deepest + 1
}

// parserError maps an error of the C parser to its SQLSTATE and byte offset.
func parserError(text string, err error) *TextError {
	out := &TextError{Code: "42601", Message: err.Error(), Pos: -1}
	var pe *parser.Error
	if errors.As(err, &pe) {
		out.Message = pe.Message
		out.Pos = byteOffset(text, pe.Cursorpos-1)
	}
	switch {
	case strings.Contains(out.Message, "memory exhausted"), strings.Contains(out.Message, "stack depth limit"),
		strings.Contains(out.Message, "out of memory"):
		out.Code, out.Message = "54001", "statement too complex"
	case strings.Contains(out.Message, "invalid byte sequence"):
		out.Code = "22021"
	}
	return out
}

// byteOffset is the offset of the character with index n, -1 outside.
func byteOffset(text string, n int) int {
	if n < 0 {
		return -1
	}
	pos := 0
	for ; n > 0; n-- {
		if pos >= len(text) {
			return -1
		}
		_, size := utf8.DecodeRuneInString(text[pos:])
		pos += size
	}
	return pos
}
