package e2e

import (
	"math/big"
	"regexp"
	"strings"
)

// mask is what an analyst sees of a cell; a nil cell is SQL NULL.
type mask func(*string) *string

// These follow docs/masking.md with the arguments of the shipped masks.yaml.

func same(v *string) *string { return v }

func hidden(*string) *string { return nil } // null

func constant(text string) mask { return func(*string) *string { return &text } }

// notNull applies a function to what is not NULL.
func notNull(f func(string) string) mask {
	return func(v *string) *string {
		if v == nil {
			return nil
		}
		out := f(*v)
		return &out
	}
}

var (
	firstLetter = notNull(func(s string) string { return s[:1] + strings.Repeat("*", len(s)-1) })
	lastThree   = notNull(func(s string) string { return strings.Repeat("*", len(s)-3) + s[len(s)-3:] })
	email       = notNull(func(s string) string { return s[:1] + "***" + s[strings.IndexByte(s, '@'):] })
	phone       = notNull(func(s string) string { return hideDigits(s, 2) })
	card        = notNull(func(s string) string { return hideDigits(s, 4) })
	iban        = notNull(func(s string) string { return s[:2] + strings.Repeat("*", len(s)-6) + s[len(s)-4:] })
	yearOnly    = notNull(func(s string) string { return s[:4] + "-01-01" })
	bucket      = notNull(toTenThousands)
	address     = notNull(func(s string) string { return ipv4.ReplaceAllString(s, "0.0.0.0") })
	redacted    = constant("[redacted]")

	ipv4 = regexp.MustCompile(`\d+\.\d+\.\d+\.\d+`)
)

// hideDigits replaces digits by stars but for the last n.
func hideDigits(s string, n int) string {
	out := []byte(s)
	for i := len(out) - 1; i >= 0; i-- {
		if out[i] < '0' || out[i] > '9' {
			continue
		}
		if n > 0 {
			n--
			continue
		}
		out[i] = '*'
	}
	return string(out)
}

func toTenThousands(s string) string {
	v, ok := new(big.Rat).SetString(s)
	if !ok {
		return "not a number: " + s
	}
	width := big.NewInt(10000)
	n := new(big.Int).Quo(v.Num(), new(big.Int).Mul(v.Denom(), width)) // the demo's salaries are positive
	return n.Mul(n, width).String() + ".00"
}

// masks are those of each step's columns. A step that is not listed is not masked.
var masks = map[string][]mask{
	"people":    {same, firstLetter, email, phone, yearOnly, redacted, same, same, address, same},
	"payments":  {same, card, hidden, iban, same, same},
	"salaries":  {same, firstLetter, lastThree, bucket, yearOnly, same},
	"cursor":    {same, email},
	"copy":      {same, email, phone, yearOnly},
	"pipeline":  {same, email},
	"binary":    {same, email},
	"several":   {same, email},
	"changed":   {same, email},
	"contact":   {same, email},
	"contacts":  {same, firstLetter, firstLetter, email, phone, same},
	"whole_row": {same, firstLetter, firstLetter, email, phone, yearOnly, redacted, same, same, same, same, address, same},
}
