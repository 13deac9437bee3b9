package corpus

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// What the mask redact shows for the types that occur.
const (
	redacted     = "[redacted]"
	redactedJSON = `"[redacted]"`
	firstDay     = "0001-01-01"
	firstMoment  = "0001-01-01 00:00:00+00"
	zeroUUID     = "00000000-0000-0000-0000-000000000000"
)

type value = func(r *rand.Rand, i int) string

// serial is the number of the row.
func serial(_ *rand.Rand, i int) string { return fmt.Sprint(i) }

func text(format string) value {
	return func(_ *rand.Rand, i int) string { return fmt.Sprintf(format, i) }
}

// integer is between low and high, both included.
func integer(low, high int) value {
	return func(r *rand.Rand, _ int) string { return fmt.Sprint(low + r.IntN(high-low+1)) }
}

// decimal has two places.
func decimal(low, high int) value {
	return func(r *rand.Rand, _ int) string {
		return fmt.Sprintf("%d.%02d", low+r.IntN(high-low), r.IntN(100))
	}
}

func oneOf(words ...string) value {
	return func(r *rand.Rand, _ int) string { return words[r.IntN(len(words))] }
}

func always(s string) value { return func(*rand.Rand, int) string { return s } }

// sometimes is null in one row of n.
func sometimes(n int, v value) value {
	return func(r *rand.Rand, i int) string {
		s := v(r, i)
		if r.IntN(n) == 0 {
			return null
		}
		return s
	}
}

func boolean(r *rand.Rand, _ int) string { return []string{"f", "t"}[r.IntN(2)] }

func day(from, to int) value {
	return func(r *rand.Rand, _ int) string { return date(r, from, to).Format(time.DateOnly) }
}

func moment(from, to int) value {
	return func(r *rand.Rand, _ int) string {
		return date(r, from, to).Add(time.Duration(r.IntN(86400)) * time.Second).Format("2006-01-02 15:04:05+00")
	}
}

// date is a day of the years from to to, which is left out.
func date(r *rand.Rand, from, to int) time.Time {
	start := time.Date(from, 1, 1, 0, 0, 0, 0, time.UTC)
	days := int(time.Date(to, 1, 1, 0, 0, 0, 0, time.UTC).Sub(start).Hours() / 24)
	return start.AddDate(0, 0, r.IntN(days))
}

func days(from, to int) value {
	return func(r *rand.Rand, _ int) string {
		d := date(r, from, to)
		return fmt.Sprintf("[%s,%s)", d.Format(time.DateOnly), d.AddDate(0, 0, 1+r.IntN(900)).Format(time.DateOnly))
	}
}

func digits(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('0' + r.IntN(10))
	}
	return string(b)
}

func hex(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = "0123456789abcdef"[r.IntN(16)]
	}
	return string(b)
}

func uuid(r *rand.Rand, _ int) string {
	h := hex(r, 32)
	return strings.Join([]string{h[:8], h[8:12], "4" + h[13:16], "8" + h[17:20], h[20:]}, "-")
}

func bytea(n int) value {
	return func(r *rand.Rand, _ int) string { return `\x` + hex(r, 2*n) }
}

func address(r *rand.Rand, _ int) string {
	return fmt.Sprintf("10.%d.%d.%d", r.IntN(256), r.IntN(256), r.IntN(256))
}

// word has n letters, consonants and vowels in turn.
func word(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		if i%2 == 0 {
			b[i] = "bdfgklmnprstvz"[r.IntN(14)]
		} else {
			b[i] = "aeiou"[r.IntN(5)]
		}
	}
	return string(b)
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// Names and words of one length: where they differ, rows do not move.
var (
	families  = []string{"Albrich", "Bergman", "Carlson", "Dietric", "Eriksen", "Fischer", "Gruberg", "Hofmann", "Iversen", "Jansson", "Lindner", "Wagners"}
	ailments  = []string{"asthma", "anemia", "angina", "sepsis", "eczema", "rabies", "herpes", "goitre", "myopia", "stroke"}
	bloods    = []string{"0-", "0+", "A-", "A+", "B-", "B+", "AB-", "AB+"}
	cities    = []string{"Bremen", "Kassel", "Erfurt", "Passau", "Lübeck"}
	wardNames = []string{"surgery", "cardio", "neuro", "ward 4"}
)

func family(r *rand.Rand, _ int) string { return families[r.IntN(len(families))] }

func fullName(r *rand.Rand, i int) string { return capital(word(r, 6)) + " " + family(r, i) }

func initials(r *rand.Rand, _ int) string { return strings.ToUpper(word(r, 2+r.IntN(3))) }

func mail(r *rand.Rand, i int) string {
	return fmt.Sprintf("%s%03d@%s.example", capital(word(r, 7)), i, word(r, 5))
}

func sentence(r *rand.Rand, _ int) string {
	return fmt.Sprintf("%s after %s, %s mg %s", ailments[r.IntN(10)], ailments[r.IntN(10)], digits(r, 2), word(r, 6))
}

// lexemes is a tsvector.
func lexemes(r *rand.Rand, _ int) string {
	a, b := r.IntN(10), r.IntN(9)
	if b >= a {
		b++
	}
	return fmt.Sprintf("'%s':1A '%s':%d", ailments[a], ailments[b], 2+r.IntN(8))
}

func list(n int, v value) value {
	return func(r *rand.Rand, i int) string {
		parts := make([]string, n)
		for k := range parts {
			parts[k] = `"` + strings.ReplaceAll(v(r, i), `"`, `\"`) + `"`
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
}

func profile(r *rand.Rand, _ int) string {
	return fmt.Sprintf(`{"age": %d, "tags": ["%s", "%s"], "next": {"kin": "%s", "score": %d.%d}, "vip": %t, "none": null}`,
		20+r.IntN(70), ailments[r.IntN(10)], ailments[r.IntN(10)], family(r, 0), r.IntN(10), r.IntN(10), r.IntN(2) == 0)
}

// insuranceNumber holds the row's number, so that it is unique; what comes
// before it decides the order.
func insuranceNumber(r *rand.Rand, i int) string {
	return fmt.Sprintf("%c%s%03d%s", 'A'+rune(r.IntN(26)), digits(r, 4), i, digits(r, 2))
}
