package totp

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"
)

const digits = "1234567890123456789012345678901234567890123456789012345678901234"

// TestRFC4226 holds the values of RFC 4226, appendix D.
func TestRFC4226(t *testing.T) {
	s := Secret{[]byte(digits[:20])}
	for step, want := range []string{"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"} {
		if got := s.Code(int64(step)); got != want {
			t.Errorf("step %d: %s, want %s", step, got, want)
		}
	}
}

// TestRFC6238 holds the values of RFC 6238, appendix B.
func TestRFC6238(t *testing.T) {
	for _, c := range []struct {
		seconds              int64
		step                 int64
		sha1, sha256, sha512 string
	}{
		{59, 0x1, "94287082", "46119246", "90693936"},
		{1111111109, 0x23523EC, "07081804", "68084774", "25091201"},
		{1111111111, 0x23523ED, "14050471", "67062674", "99943326"},
		{1234567890, 0x273EF07, "89005924", "91819424", "93441116"},
		{2000000000, 0x3F940AA, "69279037", "90698825", "38618901"},
		{20000000000, 0x27BC86AA, "65353130", "77737706", "47863826"},
	} {
		if got := Step(time.Unix(c.seconds, 0)); got != c.step {
			t.Errorf("%d s: step %x", c.seconds, got)
		}
		for _, h := range []struct {
			name string
			new  func() hash.Hash
			size int
			want string
		}{{"SHA-1", sha1.New, 20, c.sha1}, {"SHA-256", sha256.New, 32, c.sha256}, {"SHA-512", sha512.New, 64, c.sha512}} {
			if got := hotp(h.new, []byte(digits[:h.size]), c.step, 8); got != h.want {
				t.Errorf("%d s, %s: %s, want %s", c.seconds, h.name, got, h.want)
			}
		}
		code := c.sha1[2:]
		if step, err := (Secret{[]byte(digits[:20])}).Check(code, time.Unix(c.seconds, 0), 0); err != nil || step != c.step {
			t.Errorf("%s at %d s: %d %v", code, c.seconds, step, err)
		}
	}
}

func TestCheck(t *testing.T) {
	s, other := Secret{[]byte(digits[:20])}, Secret{[]byte(digits[1:21])} // random ones would share a code now and then
	now := time.Unix(1_700_000_010, 0)
	current := Step(now)
	for name, c := range map[string]struct {
		code string
		last int64
		want error
	}{
		"now":                      {s.Code(current), 0, nil},
		"with a space":             {s.Code(current)[:3] + " " + s.Code(current)[3:], 0, nil},
		"a slow clock":             {s.Code(current - 1), 0, nil},
		"a fast clock":             {s.Code(current + 1), 0, nil},
		"too slow":                 {s.Code(current - 2), 0, ErrWrong},
		"too fast":                 {s.Code(current + 2), 0, ErrWrong},
		"after the one before":     {s.Code(current), current - 1, nil},
		"used before":              {s.Code(current), current, ErrReplayed},
		"older than the last":      {s.Code(current - 1), current, ErrReplayed},
		"newer than the last":      {s.Code(current + 1), current, nil},
		"nothing":                  {"", 0, ErrWrong},
		"too short":                {s.Code(current)[:5], 0, ErrWrong},
		"too long":                 {s.Code(current) + "0", 0, ErrWrong},
		"digits of another script": {strings.Map(func(r rune) rune { return r - '0' + '٠' }, s.Code(current)), 0, ErrWrong},
		"another's":                {other.Code(current), 0, ErrWrong},
	} {
		step, err := s.Check(c.code, now, c.last)
		if !errors.Is(err, c.want) || err != nil && (step != 0 || c.code != "" && strings.Contains(err.Error(), c.code)) || err == nil && step <= c.last {
			t.Errorf("%s: %d %v, want %v", name, step, err, c.want)
		}
	}
	if _, err := s.Check(s.Code(-1), time.Unix(3, 0), -2); !errors.Is(err, ErrWrong) {
		t.Errorf("before time began: %v", err)
	}
	var nobody Secret
	if _, err := nobody.Check(nobody.Code(current), now, 0); !errors.Is(err, ErrWrong) {
		t.Errorf("a secret that is empty: %v", err)
	}
}

func TestSecrets(t *testing.T) {
	s := NewSecret()
	text := s.Encode()
	if len(text) != 32 || text == NewSecret().Encode() {
		t.Errorf("%q", text)
	}
	for _, spelling := range []string{text, strings.ToLower(text), text[:4] + " " + text[4:], text + "==="} {
		if got, err := ParseSecret(spelling); err != nil || !bytes.Equal(got.key, s.key) {
			t.Errorf("%q: %v", spelling, err)
		}
	}
	for _, bad := range []string{"", "ABCDEFGH", "0" + text[1:], text[:8] + "\n" + text[8:], strings.Repeat("A", 200), text[:31] + "é"} {
		if _, err := ParseSecret(bad); err == nil || bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	asJSON, _ := json.Marshal(s)
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", s)
	for _, shown := range []string{fmt.Sprint(s), fmt.Sprintf("%+v %#v %s %q %x", s, s, s, s, s), string(asJSON), log.String()} {
		if strings.Contains(shown, text) || strings.Contains(shown, string(s.key)) || strings.Contains(shown, fmt.Sprintf("%x", s.key)) || strings.Contains(shown, fmt.Sprint(s.key)) {
			t.Errorf("%q", shown)
		}
	}
}

func TestURI(t *testing.T) {
	s := NewSecret()
	text := s.URI("weir: Corp", "ana+x@corp.example")
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "otpauth" || u.Host != "totp" || u.Path != "/weir  Corp:ana+x@corp.example" || strings.Contains(u.RawQuery, "+") {
		t.Errorf("%s %v", text, err)
	}
	for key, want := range map[string]string{"secret": s.Encode(), "issuer": "weir: Corp", "algorithm": "SHA1", "digits": "6", "period": "30"} {
		if got := u.Query().Get(key); got != want {
			t.Errorf("%s: %q", key, got)
		}
	}
}

func TestRecoveryCodes(t *testing.T) {
	codes := NewRecoveryCodes()
	var hashes []string
	seen := map[string]bool{}
	for _, code := range codes {
		h, ok := HashRecovery(code)
		if !ok || len(h) != 64 || seen[h] || len(code) != 29 || strings.Count(code, "-") != 5 {
			t.Fatalf("%q: %q", code, h)
		}
		seen[h] = true
		hashes = append(hashes, h)
	}
	if len(codes) != RecoveryCodes {
		t.Errorf("%d codes", len(codes))
	}
	for want, code := range codes {
		alike := strings.NewReplacer("O", "0", "I", "1", "B", "8").Replace(code)
		for _, typed := range []string{code, strings.ToLower(code), strings.ReplaceAll(code, "-", ""), strings.ReplaceAll(code, "-", " "), alike} {
			if got, ok := MatchRecovery(hashes, typed); !ok || got != want {
				t.Errorf("%q: %d %v", typed, got, ok)
			}
		}
	}
	rest := append([]string{}, hashes[1:]...)
	for what, code := range map[string]string{"used before": codes[0], "another's": NewRecoveryCodes()[0], "nothing": "", "short": codes[1][:28], "long": codes[1] + "A", "a hash": rest[0],
		"a digit that is no letter": "9" + codes[1][1:], "very long": strings.Repeat("-", 1000) + codes[1]} {
		if i, ok := MatchRecovery(rest, code); ok || i != -1 {
			t.Errorf("%s: %d", what, i)
		}
	}
	if _, ok := MatchRecovery([]string{""}, ""); ok {
		t.Error("nothing matches an empty hash")
	}
}

func FuzzParseSecret(f *testing.F) {
	f.Add(strings.Repeat("A", 32))
	f.Add("gezd gnbv gy3t qojq gezd gnbv gy3t qojq")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSecret(text)
		if err != nil {
			return
		}
		if len(s.key) < minSecretSize || len(s.key) > maxSecretSize {
			t.Fatalf("%d bytes", len(s.key))
		}
		if again, err := ParseSecret(s.Encode()); err != nil || !bytes.Equal(again.key, s.key) {
			t.Fatalf("%q", text)
		}
	})
}

func FuzzHashRecovery(f *testing.F) {
	f.Add("ABCD-EFGH-IJKL-MNOP-QRST-UVWX")
	f.Add("0189")
	f.Fuzz(func(t *testing.T, code string) {
		if h, ok := HashRecovery(code); ok != (len(h) == 64) || !ok && h != "" {
			t.Errorf("%q: %q", code, h)
		}
	})
}
