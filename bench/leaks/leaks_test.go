package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func row(cells ...string) message {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(cells)))
	for _, c := range cells {
		if c == "NULL" {
			b = append(b, 0xff, 0xff, 0xff, 0xff)
			continue
		}
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(c))), c...)
	}
	return message{kind: 'D', body: b}
}

func tag(s string) message { return message{kind: 'C', body: []byte(s + "\x00")} }

func failure(code, text string) message {
	return message{kind: 'E', body: fmt.Appendf(nil, "SERROR\x00C%s\x00M%s\x00Ffile.c\x00L7\x00Rroutine\x00\x00", code, text)}
}

// description has one column of a table.
func description(table uint32, name string, typ uint32) message {
	b := append(binary.BigEndian.AppendUint16(nil, 1), name+"\x00"...)
	b = binary.BigEndian.AppendUint32(b, table)
	b = binary.BigEndian.AppendUint16(b, 1)
	b = binary.BigEndian.AppendUint32(b, typ)
	return message{kind: 'T', body: append(b, 0, 4, 0xff, 0xff, 0xff, 0xff, 0, 0)}
}

func TestAnswersDiffer(t *testing.T) {
	base := answer{row("1", "x"), tag("SELECT 1")}
	for _, c := range []struct {
		name  string
		other answer
		want  int
	}{
		{"equal", answer{row("1", "x"), tag("SELECT 1")}, -1},
		{"a cell", answer{row("1", "y"), tag("SELECT 1")}, 0},
		{"NULL is not empty", answer{row("1", "NULL"), tag("SELECT 1")}, 0},
		{"a tag", answer{row("1", "x"), tag("SELECT 2")}, 1},
		{"more", append(slices.Clone(base), tag("SELECT 1")), 2},
		{"less", base[:1], 1},
		{"another connection", answer{{conn: "2", kind: 'D', body: base[0].body}, base[1]}, 0},
	} {
		if got := base.differs(c.other); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func TestNormalise(t *testing.T) {
	const newest = 20000
	made := func(a, b uint32) answer {
		return answer{description(a, "x", 25), description(b, "y", 25), description(16500, "z", b),
			{kind: 'A', body: []byte{0, 0, byte(a), 1, 'c', 0, 0}}, failure("42P01", fmt.Sprintf("no pg_temp_%d.t", a))}
	}
	x, y, z := made(20100, 20200), made(20300, 20301), made(20300, 20300)
	for _, a := range []answer{x, y, z} {
		a.normalise(newest, nil)
	}
	if i := x.differs(y); i >= 0 {
		t.Errorf("numbers of new objects differ: %s and %s", x.at(i), y.at(i))
	}
	if x.equal(z) {
		t.Error("two objects are as one")
	}
	timed := answer{{kind: 'D', body: []byte("12.345 ms")}}
	timed.normalise(newest, []string{"timing"})
	if string(timed[0].body) != "0.000 ms" {
		t.Errorf("timing: %q", timed[0].body)
	}
}

func TestJudgeEveryday(t *testing.T) {
	direct := answer{description(100, "id", 23), row("1", "ana"), row("2", "bob"), tag("SELECT 2")}
	masked := answer{description(100, "id", 23), row("1", "***"), row("2", "***"), tag("SELECT 2")}
	varies := answer{description(100, "id", 23), row("1", "a**"), row("2", "b**"), tag("SELECT 2")}
	computed := answer{description(0, "id", 23), row("2", "***"), row("1", "***"), tag("SELECT 2")}
	wrong := answer{description(100, "id", 23), row("3", "***"), row("2", "***"), tag("SELECT 2")}
	refused := answer{failure("42501", "ssn is masked")}
	fails := answer{failure("22012", "division by zero")}
	failsToo := answer{{kind: 'E', body: []byte("SERROR\x00C22012\x00Mdivision by zero\x00\x00")}}
	for _, c := range []struct {
		name                      string
		expect                    string
		direct, constants, answer answer
		want                      string
	}{
		{"the same", "same", direct, nil, direct, outcomeKept},
		{"changed", "same", direct, nil, masked, outcomeChanged},
		{"refused", "same", direct, nil, refused, outcomeRefused},
		{"masked", "masked", direct, nil, masked, outcomeKept},
		{"a mask that is no constant", "masked", direct, nil, varies, outcomeChanged},
		{"another cell", "masked", direct, nil, wrong, outcomeChanged},
		{"some rows masked", "masked_rows", direct, nil, answer{direct[0], direct[1], masked[2], direct[3]}, outcomeKept},
		{"some rows masked, and another cell", "masked_rows", direct, nil, answer{direct[0], wrong[1], masked[2], direct[3]}, outcomeChanged},
		{"as constants would be", "masked", direct, masked, computed, outcomeKept},
		{"constants, in another order", "constants", direct, masked, computed, outcomeKept},
		{"constants, refused", "constants", direct, masked, refused, outcomeRefused},
		{"constants, wrong", "constants", direct, masked, wrong, outcomeChanged},
		{"where in its source the server failed is no matter", "same", fails, nil, failsToo, outcomeKept},
		{"another error is a refusal", "same", fails, nil, refused, outcomeRefused},
		{"the same error in other words", "same", answer{failure("42883", "function f(integer) does not exist")}, nil, answer{failure("42883", "no function f")}, outcomeReworded},
		{"an error less", "same", fails, nil, direct, outcomeChanged},
	} {
		if got, diff := judgeEveryday(&testCase{Expect: c.expect, Masked: []int{2}}, c.direct, c.constants, c.answer); got != c.want {
			t.Errorf("%s: %s (%s), want %s", c.name, got, diff, c.want)
		}
	}
}

func TestMaskedCopy(t *testing.T) {
	line := func(s string) message { return message{kind: 'd', body: []byte(s + "\n")} }
	direct := answer{line("1\tana\tx"), line("2\tbob\ty")}
	second := &testCase{Expect: "masked", Masked: []int{2}}
	if !maskedEqual(second, direct, answer{line("1\t***\tx"), line("2\t***\ty")}) {
		t.Error("masked copy is refused")
	}
	if maskedEqual(second, direct, answer{line("1\t***\tx"), line("2\t***\tz")}) {
		t.Error("an unmasked column may change")
	}
}

func TestExpand(t *testing.T) {
	asked := 0
	e := &expander{password: "pw", known: map[string]string{}, query: func(_ context.Context, sql string) (string, error) {
		asked++
		if strings.Contains(sql, "gone") {
			return "", errors.New("no such relation")
		}
		return "<" + sql + ">", nil
	}}
	for _, c := range []struct{ in, want string }{
		{"SELECT 1", "SELECT 1"},
		{"x ${A:SELECT '{a,b}'} y ${PW}", "x <SELECT '{a,b}'> y pw"},
		{"${A:SELECT '{a,b}'}", "<SELECT '{a,b}'>"},
		{"${oid:s.t}", "<SELECT 's.t'::regclass::oid>"},
	} {
		if got, err := e.text(t.Context(), c.in); got != c.want || err != nil {
			t.Errorf("%s: %q, %v", c.in, got, err)
		}
	}
	if asked != 2 {
		t.Errorf("asked %d times", asked)
	}
	for _, bad := range []string{"${A:SELECT 1", "${what:x}", "${oid:gone}"} {
		if got, err := e.text(t.Context(), bad); err == nil {
			t.Errorf("%s is %q", bad, got)
		}
	}
}

func TestForms(t *testing.T) {
	one, two := []string{"SELECT 1;"}, []string{"BEGIN", "COMMIT"}
	x := "x"
	for _, c := range []struct {
		name string
		t    testCase
		b    breadth
		want []form
	}{
		{"narrow", testCase{Mode: "simple", SQL: one}, narrow, []form{formOwn}},
		{"single", testCase{Mode: "simple", SQL: one}, usual, []form{formEvery}},
		{"script", testCase{Mode: "cursor", SQL: two}, usual, []form{formOwn}},
		{"script, wide", testCase{Mode: "cursor", SQL: two}, wide, []form{formOwn, formText, formBinary}},
		{"several in one text", testCase{Mode: "simple", SQL: []string{"SELECT 1; SELECT 2"}}, wide, []form{formOwn}},
		{"steps", testCase{Mode: "pipeline", Steps: []step{{Q: &x}}}, wide, []form{formOwn}},
	} {
		if got := c.t.forms(c.b); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	with := &testCase{Mode: "extended", SQL: one, Params: []*string{&x}}
	var sent []string
	for _, s := range with.steps(formEvery) {
		sent = append(sent, fmt.Sprint(s.X != nil, s.binary))
	}
	if !slices.Equal(sent, []string{"true false", "true true"}) {
		t.Errorf("every form of an extended query with parameters: %v", sent)
	}
}

func TestCorpusIsStrict(t *testing.T) {
	for name, text := range map[string]string{
		"an unknown key":       `[{"id": "a", "sql": ["x"], "sqll": 1}]`,
		"an id twice":          `[{"id": "a", "sql": ["x"]}, {"id": "a", "sql": ["y"]}]`,
		"nothing to run":       `[{"id": "a"}]`,
		"a step of two things": `[{"id": "a", "steps": [{"q": "x", "x": "y"}]}]`,
	} {
		files := fstest.MapFS{"protected.json": {Data: []byte(`{"columns": []}`)}, "cases/1.json": {Data: []byte(text)}}
		if _, err := loadCorpus(files, nil); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	files := fstest.MapFS{"protected.json": {Data: []byte(`{"columns": []}`)}, "benign/1.json": {Data: []byte(`[{"id": "a", "sql": ["x"], "expect": "some"}]`)}}
	if _, err := loadCorpus(files, nil); err == nil {
		t.Error("an unknown expectation is accepted")
	}
}

func TestCounts(t *testing.T) {
	p := &phase{Elsewhere: "refuse", Results: []result{
		{Case: "a", Form: formOwn, Outcome: outcomeClosed}, {Case: "a", Form: formText, Outcome: outcomeLeak},
		{Case: "b", Outcome: outcomeVoid}, {Case: "c", Outcome: outcomeClosed, Unlike: true},
		{Case: "d", Everyday: true, Outcome: outcomeRefused}, {Case: "e", Everyday: true, Outcome: outcomeKept}}}
	if got, want := p.counts(), (counts{Leaks: 1, Counted: 2, Void: 1, Runs: 6, Refused: 1, Everyday: 2, Unlike: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if !p.failed() {
		t.Error("a leak is no failure")
	}
	if p.Results = p.Results[2:]; !p.failed() {
		t.Error("half of the everyday cases refused is no failure")
	}
	if p.Results = p.Results[3:]; p.failed() {
		t.Error("nothing is a failure")
	}
}
