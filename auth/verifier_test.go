package auth

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
)

// Made by PostgreSQL 15 (CREATE ROLE … PASSWORD), read from pg_authid.
var postgresVerifiers = []struct{ password, verifier string }{
	{"correct horse battery", "SCRAM-SHA-256$4096:4oyv2Dqysp+4L/cJo1sVsg==$sqcl1UB5UqIkAzvSHcKVmiVquRJAySOREtyVysDkM/I=:GYV3F1YdMDgN7OjIDd6K+gJBX8Ni7KEbJWC1U+uxfoY="},
	{"p\u00e9ncil \u2168 I\u00ADX", "SCRAM-SHA-256$4096:nN434PitoHLGjFACvHQ8zg==$2runUtHwJOEk75Z4RDUpftHbfmbKJamUKHaeIDbeH/s=:lQ+50Uap4FF0d4qd/YB/IO9wtfuKCkJy5mtF0XF2r7U="},
	{"emoji \U0001F600 e\u0301", "SCRAM-SHA-256$4096:LeXNhekJ8VfZZMqcwYEdRg==$NMwsoX0fk3aLM3CcYdpt8GORvdFzO/M6my13pcrHSR4=:L7LDXm3o1P0Saiyv4SauWEP31CDEfoY0znfFdypBMC0="},
}

func TestVerifiersAreThoseOfPostgreSQL(t *testing.T) {
	for _, test := range postgresVerifiers {
		v, err := ParseVerifier(test.verifier)
		if err != nil {
			t.Fatalf("%q: %v", test.password, err)
		}
		if string(v.Encode()) != test.verifier {
			t.Errorf("%q: encodes as %s", test.password, string(v.Encode()))
		}
		own, err := deriveVerifier(sha256.New, test.password, v.salt, v.iterations)
		if err != nil || own.Encode() != v.Encode() {
			t.Errorf("%q: derived %s, %v", test.password, string(own.Encode()), err)
		}
	}
}

func TestNewVerifier(t *testing.T) {
	first, err := NewVerifier("a password of length", DefaultIterations)
	if err != nil {
		t.Fatal(err)
	}
	second, err := NewVerifier("a password of length", DefaultIterations)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Equal(first.salt, second.salt) || len(first.salt) != 16 || first.Iterations() != 4096 {
		t.Errorf("salts %x and %x, %d iterations", first.salt, second.salt, first.Iterations())
	}
	for _, n := range []int{-1, 0, MinIterations - 1, MaxIterations + 1} {
		if _, err := NewVerifier("a password of length", n); err == nil {
			t.Errorf("%d iterations are accepted", n)
		}
	}
}

func TestParseVerifierRefuses(t *testing.T) {
	good := postgresVerifiers[0].verifier
	for name, text := range map[string]string{
		"empty":             "",
		"md5":               "md5d41d8cd98f00b204e9800998ecf8427e",
		"plain":             "correct horse battery",
		"another hash":      strings.Replace(good, "SHA-256", "SHA-1", 1),
		"no iterations":     strings.Replace(good, "4096", "", 1),
		"zero iterations":   strings.Replace(good, "4096", "0", 1),
		"signed iterations": strings.Replace(good, "4096", "+4096", 1),
		"many iterations":   strings.Replace(good, "4096", "99999999999999999999", 1),
		"no salt":           strings.Replace(good, "4oyv2Dqysp+4L/cJo1sVsg==", "", 1),
		"salt not base64":   strings.Replace(good, "4oyv", "4*yv", 1),
		"line break":        strings.Replace(good, "4oyv", "4oyv\n", 1),
		"short stored key":  strings.Replace(good, "sqcl1UB5UqIkAzvSHcKVmiVquRJAySOREtyVysDkM/I=", "sqcl", 1),
		"short server key":  strings.Replace(good, "GYV3F1YdMDgN7OjIDd6K+gJBX8Ni7KEbJWC1U+uxfoY=", "GYV3", 1),
		"one key":           good[:strings.LastIndex(good, ":")],
		"text behind":       good + ":",
		"long":              good[:14] + strings.Repeat("0", 2000) + good[14:],
	} {
		if _, err := ParseVerifier(text); err == nil {
			t.Errorf("%s: accepted", name)
		} else if len(text) > 20 && strings.Contains(err.Error(), text[:20]) {
			t.Errorf("%s: the error quotes the verifier: %v", name, err)
		}
	}
}

func TestSASLPrep(t *testing.T) {
	// RFC 4013, section 3; what it prohibits PostgreSQL takes as it is.
	for in, want := range map[string]string{
		"I\u00ADX":       "IX",
		"user":           "user",
		"USER":           "USER",
		"\u00AA":         "a",
		"\u2168":         "IX",
		"\u0007":         "\u0007",
		"\u0627\u0031":   "\u0627\u0031",
		"\u00AD":         "\u00AD",
		"a\u00A0b":       "a b",
		"\U0001F600\xff": "\U0001F600\xff",
		"e\u0301":        "\u00e9",
	} {
		if got := saslPrep(in); got != want {
			t.Errorf("%+q became %+q, want %+q", in, got, want)
		}
	}
}

func TestVerifiersAreNotPrinted(t *testing.T) {
	v, err := ParseVerifier(postgresVerifiers[0].verifier)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(map[string]any{"v": v, "e": v.Encode()})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("made", "verifier", v, "encoded", v.Encode())
	shown := fmt.Sprintf("%v %+v %#v %s %s %s", v, v, v, v.Encode(), encoded, log.String())
	if strings.Contains(shown, "sqcl1UB5") || strings.Contains(shown, fmt.Sprint(v.storedKey[0])+" ") {
		t.Errorf("the verifier is shown: %s", shown)
	}
}

func FuzzParseVerifier(f *testing.F) {
	for _, v := range postgresVerifiers {
		f.Add(v.verifier)
	}
	f.Add("SCRAM-SHA-256$1:AA==$:")
	f.Add("SCRAM-SHA-256$4096:AAAA$$:")
	f.Fuzz(func(t *testing.T, text string) {
		v, err := ParseVerifier(text)
		if err != nil {
			return
		}
		again, err := ParseVerifier(string(v.Encode()))
		if err != nil || again.Encode() != v.Encode() {
			t.Errorf("%q: reads back as %v, %v", text, again, err)
		}
	})
}
