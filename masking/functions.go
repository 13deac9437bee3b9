package masking

import (
	"errors"
	"slices"
)

// Info describes one function for documentation and for the command line.
type Info struct {
	Name  string
	Doc   string // one line
	Args  []Argument
	Kinds []Kind // kinds served; arrays of them are masked element by element where Arrays is set
	// Arrays says that the elements of an array are masked one by one.
	Arrays bool
	// Constant says that the output is the same for every input, SQL NULL included.
	Constant bool
	// Keyed says that the output depends on the keys.
	Keyed bool
}

// Argument describes one argument of a function.
type Argument struct {
	Name     string
	Type     string // string, integer, number, or object
	Default  string // as written in a policy; empty: none
	Required bool
	Doc      string
}

// Functions lists all functions in the order of the documentation.
func Functions() []Info {
	infos := slices.Clone(table)
	for i := range infos {
		infos[i].Args, infos[i].Kinds = slices.Clone(infos[i].Args), slices.Clone(infos[i].Kinds)
	}
	return infos
}

// function is a row of the table with what reads its arguments.
type function struct {
	Info
	parse func(*arguments) builder
}

// builder is a function with its arguments read.
type builder interface {
	// check says why the mask cannot be expressed for t, whose kind is served.
	check(t Type) error
	// build makes the mask of one column. It is called only after check.
	build(t Type, keys *Keys) (mask, error)
}

// mask computes one masked value in place. It is used by one goroutine, may
// keep buffers, and what it leaves in v is valid until its next call. False
// means that the value cannot be masked this way: the constant takes its place.
type mask interface {
	apply(v *value, row Row) bool
}

var (
	textKinds    = []Kind{KindText, KindBPChar}
	integerKinds = []Kind{KindInt8, KindInt16, KindInt24, KindInt32, KindInt64, KindUint64}
	numberKinds  = append(slices.Clone(integerKinds), KindFloat32, KindFloat64, KindNumeric, KindMoney, KindYear)
	hashKinds    = append([]Kind{KindBytes}, keyedKinds...)
	fpeKinds     = []Kind{KindText, KindBPChar, KindInt24, KindInt32, KindInt64, KindUint64, KindNumeric}
	bucketKinds  = append(slices.Clone(numberKinds), textKinds...)
	truncKinds   = append([]Kind{KindTime, KindTimeTZ}, dateKinds...)
	dateKinds    = []Kind{KindDate, KindTimestamp, KindTimestampTZ}
)

func lookup(name string) (function, bool) {
	for i := range table {
		if table[i].Name == name {
			return function{table[i], parser(name)}, true
		}
	}
	return function{}, false
}

func functionNames() []string {
	names := make([]string, 0, len(table))
	for i := range table {
		names = append(names, table[i].Name)
	}
	return names
}

// serves says whether the function takes t as it is or by its elements.
func (f function) serves(t Type) bool {
	if slices.Contains(f.Kinds, t.Kind) {
		return true
	}
	return f.Arrays && t.Kind == KindArray && t.Elem != nil && t.Elem.Kind != KindArray && f.serves(*t.Elem)
}

// Check says whether the mask can be expressed for a type, in both formats.
// The error is an *ArgumentError or a *NotExpressible.
func Check(spec Spec, t Type) error {
	f, b, err := parse(spec)
	if err != nil {
		return err
	}
	if err := check(f, b, t); err != nil {
		refusal := &NotExpressible{}
		if errors.As(err, &refusal) {
			refusal.Works = working(t)
		}
		return err
	}
	return nil
}

// check is Check without the list of what would work.
func check(f function, b builder, t Type) error {
	if !f.serves(t) {
		return refuse(f.Name, t, "the function does not serve this type")
	}
	if f.Name == nullName {
		return nil
	}
	for _, format := range []Format{Text, Binary} {
		if _, err := constant(t, format, nil); err != nil {
			return refuse(f.Name, t, err.Error())
		}
	}
	target := t
	if t.Kind == KindArray && !slices.Contains(f.Kinds, KindArray) {
		target = *t.Elem
		for _, format := range []Format{Text, Binary} {
			if _, err := constant(target, format, nil); err != nil {
				return refuse(f.Name, target, err.Error())
			}
		}
	}
	if target.Wire == MySQL && target.Charset == CharsetOther && target.readsCharacters() {
		if _, constant := b.(redactBuilder); !constant {
			return refuse(f.Name, t, "masks do not compute in its character set; results in utf8mb4 would do")
		}
	}
	if err := b.check(target); err != nil {
		return refuse(f.Name, t, err.Error())
	}
	return nil
}

// readsCharacters says whether values of the type are more than ASCII.
func (t *Type) readsCharacters() bool {
	return t.Kind == KindText || t.Kind == KindBPChar || t.Kind == KindJSON
}

func refuse(function string, t Type, reason string) *NotExpressible {
	return &NotExpressible{Function: function, Type: t.String(), Reason: reason}
}

// working lists the functions that need no argument beyond their defaults to
// work on t, and those whose kinds include it.
func working(t Type) []string {
	var names []string
	for _, info := range table {
		f := function{info, parser(info.Name)}
		if !f.serves(t) {
			continue
		}
		if f.Name != nullName {
			if _, err := constant(t, Text, nil); err != nil {
				continue
			}
		}
		if b, ok := defaults(f); ok && check(f, b, t) != nil {
			continue
		}
		names = append(names, f.Name)
	}
	return names
}

// defaults reads a function without arguments, where it allows that.
func defaults(f function) (builder, bool) {
	a := &arguments{function: f}
	b := f.parse(a)
	return b, a.err == nil
}
