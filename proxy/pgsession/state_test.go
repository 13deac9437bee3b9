package pgsession

import (
	"fmt"
	"strings"
	"testing"
)

// A story is what client and server say in turn. A line of the client starts
// with ">", one of the server with "<"; after "=" stands what weir makes of it.
var stories = []struct{ name, story string }{
	{"a simple query", `
		> Query
		< T = pass
		< D = pass
		< C = pass, finished
		< ZI = pass
		between`},
	{"an empty text", `
		> Query
		< I = pass, finished
		< ZI = pass
		between`},
	{"several statements in a text answer in turn", `
		> Query 2
		< T = pass
		< C = pass, finished
		< C = pass, finished
		< ZI = pass
		between`},
	{"more answers than statements", `
		> Query
		< C = pass, finished
		< C ! ReadyForQuery`},
	{"a text that could not be read answers any number of times", `
		> Query open
		< C = pass
		< T = pass
		< C = pass
		< ZI = pass, finished
		between`},
	{"an error ends a text", `
		> Query 3
		< C = pass, finished
		< E = pass, finished, failed, 1 skipped
		< ZI = pass
		between`},
	{"rows before their description", `
		> Query
		< D ! RowDescription`},
	{"a rule adds a second result", `
		> Query
		< T = pass
		< D = pass
		< T = pass
		< C = pass, finished
		< ZI = pass
		between`},
	{"ReadyForQuery too early", `
		> Query
		< ZI ! rest of the answer`},
	{"an extended query", `
		> Parse
		> Bind
		> Describe portal
		> Execute
		> Sync
		< 1 = pass
		< 2 = pass
		< T = pass
		< D = pass
		< C = pass, finished
		< ZI = pass
		between`},
	{"a described statement", `
		> Describe statement
		> Sync
		< t = pass
		< n = pass
		< ZI = pass
		between`},
	{"a description of a portal has no parameters", `
		> Describe portal
		< t ! RowDescription or NoData`},
	{"an error skips to Sync", `
		> Parse
		> Bind
		> Execute
		> Sync
		> Execute
		> Sync
		< E = pass, finished, failed, 2 skipped
		< ZI = pass
		< C = pass, finished
		< ZI = pass
		between`},
	{"what the client sends after an error and before Sync is dropped", `
		> Parse
		< E = pass, finished, failed
		> Execute dropped
		> Query dropped
		> Sync
		< ZI = pass
		between`},
	{"an error of COMMIT comes at Sync", `
		> Execute
		> Sync
		< C = pass, finished
		< E = pass, failed
		< ZI = pass
		between`},
	{"a suspended portal goes on", `
		> Execute
		> Execute
		> Sync
		< D = pass
		< s = pass, finished
		< C = pass, finished
		< ZT = pass
		between`},
	{"an injected description is swallowed", `
		> Bind
		> Describe portal injected
		> Execute
		> Sync
		< 2 = pass
		< T = swallow
		< D = pass
		< C = pass, finished
		< ZI = pass
		between`},
	{"the error of an injected description is the client's", `
		> Bind
		> Describe portal injected
		> Execute
		> Sync
		< 2 = pass
		< E = pass, failed, 1 skipped
		< ZI = pass
		between`},
	{"a private batch is invisible", `
		> Parse private
		> Sync private
		< E = swallow, finished, failed
		< ZI = swallow
		between`},
	{"a query inside an open batch", `
		> Bind
		> Query
		< 2 = pass
		< C = pass, finished
		< ZI = pass
		between`},
	{"a function call", `
		> FunctionCall
		< V = pass, finished
		< ZI = pass
		between`},
	{"a function call that fails", `
		> FunctionCall
		< E = pass, finished, failed
		< ZI = pass
		between`},
	{"COPY in", `
		> Query
		< G = pass
		> CopyDone
		< C = pass, finished
		< ZI = pass
		between`},
	{"COPY in that fails", `
		> Query
		< G = pass
		< E = pass, finished, failed
		> CopyDone
		< ZI = pass
		between`},
	{"a Sync sent before COPY data is eaten by the COPY", `
		> Execute
		> Sync
		< G = pass
		> CopyDone
		> Sync
		< C = pass, finished
		< ZI = pass
		between`},
	{"a Sync sent before COPY data may answer a COPY that failed", `
		> Execute
		> Sync
		< G = pass
		< E = pass, finished, failed
		< ZI = pass
		between`},
	{"a whole COPY in one go", `
		> Execute
		> Sync
		> CopyDone
		> Sync
		< G = pass
		< C = pass, finished
		< ZI = pass
		between`},
	{"COPY out", `
		> Query
		< H = pass
		< d = pass
		< c = pass
		< C = pass, finished
		< ZI = pass
		between`},
	{"COPY out ends with CopyDone", `
		> Query
		< H = pass
		< C ! CopyData or CopyDone`},
	{"no rows inside COPY", `
		> Query
		< H = pass
		< D ! CopyData`},
	{"asynchronous messages come at any time", `
		< S = pass
		< A = pass
		< N = pass
		> Query
		< N = pass
		< S = pass
		< C = pass, finished
		< A = pass
		< ZI = pass
		between`},
	{"nothing else comes unasked", `
		< D ! nothing`},
	{"an error comes unasked only if it is the last word", `
		< F = pass, failed`},
	{"an error that is not the last word does not come unasked", `
		< E ! nothing to fail`},
	{"ReadyForQuery does not come unasked", `
		< ZI ! nothing`},
	{"the wrong answer", `
		> Parse
		< 2 ! ParseComplete in answer to Parse`},
	{"two errors", `
		> Query
		< E = pass, finished, failed
		< E ! ReadyForQuery`},
	{"replication is no answer", `
		> Query
		< W ! rows, COPY or CommandComplete`},
}

func TestStories(t *testing.T) {
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			o := &owed{status: 'I'}
			for _, line := range strings.Split(s.story, "\n") {
				if line = strings.TrimSpace(line); line != "" {
					tell(t, o, line)
				}
			}
		})
	}
}

func tell(t *testing.T, o *owed, line string) {
	t.Helper()
	switch {
	case line == "between":
		if !o.between() {
			t.Fatalf("the server still owes %d answers, skipping %v, open %v", len(o.queue), o.skipping, o.open)
		}
	case line == "> CopyDone":
		o.sentCopyEnd()
	case line[0] == '>':
		words := strings.Fields(line[1:])
		if got := o.sent(request2entry(words)); got == (words[len(words)-1] == "dropped") {
			t.Fatalf("%s: sent is %v", line, got)
		}
	default:
		message, want, ok := strings.Cut(line[2:], " = ")
		if !ok {
			message, want, _ = strings.Cut(line[2:], " ! ")
		}
		typ, detail := message[0], byte(0)
		if typ == 'Z' {
			detail = message[1]
		}
		if typ == 'F' {
			typ, detail = 'E', 'F'
		}
		s, err := o.received(typ, detail)
		if err != nil {
			if ok || !strings.Contains(err.Error(), want) {
				t.Fatalf("%s: got error %v", line, err)
			}
			return
		}
		if got := s.String(); !ok || got != want {
			t.Fatalf("%s: got %s", line, got)
		}
	}
}

func request2entry(words []string) *entry {
	e := &entry{}
	for r, n := range requestNames {
		if strings.HasPrefix(n, words[0]) && (words[0] != "Describe" || strings.HasSuffix(n, words[1])) {
			e.req = request(r)
		}
	}
	if e.req != reqSync && e.req != reqClose && e.req != reqDescribePortal && e.req != reqDescribeStatement {
		e.statements = []*statement{{}}
	}
	for _, w := range words[1:] {
		switch w {
		case "open":
			e.open = true
		case "2", "3":
			for range int(w[0]-'0') - 1 {
				e.statements = append(e.statements, &statement{})
			}
		case "injected":
			e.injected = true
		case "private":
			e.injected, e.private = true, true
		}
	}
	return e
}

func (s step) String() string {
	out := "pass"
	if s.swallow {
		out = "swallow"
	}
	if s.finished {
		out += ", finished"
	}
	if s.failed {
		out += ", failed"
	}
	if len(s.skipped) > 0 {
		out += fmt.Sprintf(", %d skipped", len(s.skipped))
	}
	return out
}

// TestEveryPair feeds every type of message in every stage: it is taken or
// refused with a sentence, and never panics.
func TestEveryPair(t *testing.T) {
	for req := reqQuery; req <= reqFunctionCall; req++ {
		for st := stageStart; st <= stageDone; st++ {
			for typ := range 256 {
				o := &owed{status: 'I'}
				o.sent(&entry{req: req, statements: []*statement{{}}})
				o.sent(&entry{req: reqSync})
				o.queue[0].stage = st
				if _, err := o.received(byte(typ), 'I'); err != nil && !strings.Contains(err.Error(), "want ") {
					t.Fatalf("%v in stage %d: %v", req, st, err)
				}
			}
		}
	}
}

func TestCutShort(t *testing.T) {
	o := &owed{}
	execute := &entry{req: reqExecute, statements: []*statement{{}}}
	o.sent(execute)
	o.sent(&entry{req: reqClose})
	o.sent(&entry{req: reqSync})
	if _, err := o.received('C', 0); err != nil {
		t.Fatal(err)
	}
	if !o.cutShort(execute) || !o.queue[0].injected || o.skipping {
		t.Fatal("a Close before Sync is hidden")
	}
	o = &owed{}
	o.sent(execute)
	o.sent(&entry{req: reqExecute})
	if _, err := o.received('C', 0); err != nil {
		t.Fatal(err)
	}
	if o.cutShort(execute) {
		t.Fatal("another Execute cannot be taken back")
	}
}
