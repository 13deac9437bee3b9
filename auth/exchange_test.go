package auth

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"hash"
	"strings"
	"testing"
)

// The example exchanges of RFC 5802 (section 5) and RFC 7677 (section 3); the
// password is "pencil".
var rfcVectors = []struct {
	name                                               string
	newHash                                            func() hash.Hash
	salt, serverNonce                                  string
	clientFirst, serverFirst, clientFinal, serverFinal string
}{
	{
		name: "RFC 5802", newHash: sha1.New, salt: "QSXCR+Q6sek8bf92", serverNonce: "3rfcNHYJY1ZVvWVs7j",
		clientFirst: "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
		serverFirst: "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
		clientFinal: "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
		serverFinal: "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
	},
	{
		name: "RFC 7677", newHash: sha256.New, salt: "W22ZaJ0SNY7soEsUEjb6gQ==", serverNonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
		clientFirst: "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
		serverFirst: "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
		clientFinal: "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
		serverFinal: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
	},
}

func rfcExchange(t testing.TB, vector int) *exchange {
	t.Helper()
	v := rfcVectors[vector]
	salt, err := base64.StdEncoding.DecodeString(v.salt)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := deriveVerifier(v.newHash, "pencil", salt, 4096)
	if err != nil {
		t.Fatal(err)
	}
	return &exchange{newHash: v.newHash, verifier: verifier, serverNonce: v.serverNonce}
}

func TestRFCVectors(t *testing.T) {
	for i, v := range rfcVectors {
		t.Run(v.name, func(t *testing.T) {
			e := rfcExchange(t, i)
			first, err := e.first([]byte(v.clientFirst))
			if err != nil || string(first) != v.serverFirst {
				t.Fatalf("server-first-message is %s, %v", first, err)
			}
			final, err := e.final([]byte(v.clientFinal))
			if err != nil || string(final) != v.serverFinal {
				t.Fatalf("server-final-message is %s, %v", final, err)
			}
			if _, err := e.final([]byte(v.clientFinal)); !errors.Is(err, errOrder) {
				t.Errorf("a second final: %v", err)
			}
		})
	}
}

func TestExchangeOrder(t *testing.T) {
	v := rfcVectors[1]
	e := rfcExchange(t, 1)
	if _, err := e.final([]byte(v.clientFinal)); !errors.Is(err, errOrder) {
		t.Errorf("final before first: %v", err)
	}
	e = rfcExchange(t, 1)
	if _, err := e.first([]byte("n,,broken")); err == nil {
		t.Error("a broken first is accepted")
	}
	if _, err := e.first([]byte(v.clientFirst)); !errors.Is(err, errOrder) {
		t.Errorf("first after a broken first: %v", err)
	}
	if _, err := e.final([]byte(v.clientFinal)); !errors.Is(err, errOrder) {
		t.Errorf("final after a broken first: %v", err)
	}
}

func TestClientFirstRefused(t *testing.T) {
	for _, message := range []string{
		"", "n", "n,", "n,,", ",,n=,r=x", "x,,n=,r=abc", "nn,,n=,r=abc", "p,,n=,r=abc", "p=,,n=,r=abc",
		"n,a=admin,n=,r=abc", "n,x,n=,r=abc", "n,,m=ext,n=,r=abc", "n,,r=abc,n=user", "n,,n=user", "n,,n=user,r=",
		"n,,n=user,r=a b", "n,,n=user,r=\u00e9", "n,,n=user,r=abc,m=must", "n,,n=user,r=abc,", "n,,n=user,r=abc,=x",
		"n,,n=user,r=abc,1=x", "n,,n=us\x00er,r=abc", "n,,n=user,r=abc\n", "n,,n=user,r=" + strings.Repeat("x", maxClientNonce+1),
		"n,,n=" + strings.Repeat("x", maxSCRAMMessage) + ",r=abc",
	} {
		if m, err := parseClientFirst([]byte(message)); err == nil {
			t.Errorf("%.60q is read as %+v", message, m)
		}
	}
	for _, message := range []string{
		"n,,n=,r=abc", "n,,n=*,r=abc", "y,,n=any=2Cname,r=abc", "p=tls-server-end-point,,n=,r=abc", "n,,n=,r=abc,x=ignored,Y=",
	} {
		m, err := parseClientFirst([]byte(message))
		if err != nil || m.nonce != "abc" || string(m.gs2)+string(m.bare) != message {
			t.Errorf("%q is read as %+v, %v", message, m, err)
		}
	}
}

func TestClientFinalRefused(t *testing.T) {
	v := rfcVectors[1]
	nonce := "rOprNGfwEbeRWgbNEkqO" + v.serverNonce
	proof := "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
	tests := []struct {
		name, message string
		want          error // nil: any but errProof and errBinding
	}{
		{"empty", "", nil},
		{"no proof", "c=biws,r=" + nonce, nil},
		{"proof first", proof + ",c=biws,r=" + nonce, nil},
		{"text behind the proof", v.clientFinal + ",x=y", nil},
		{"proof not base64", "c=biws,r=" + nonce + ",p=***", nil},
		{"line break in the proof", v.clientFinal[:len(v.clientFinal)-4] + "\n" + v.clientFinal[len(v.clientFinal)-4:], nil},
		{"client's nonce alone", "c=biws,r=rOprNGfwEbeRWgbNEkqO," + proof, nil},
		{"another nonce", "c=biws,r=" + nonce + "x," + proof, nil},
		{"mandatory extension", "c=biws,r=" + nonce + ",m=x," + proof, nil},
		{"another flag", "c=eSws,r=" + nonce + "," + proof, errBinding},
		{"binding data", "c=biwsAAAA,r=" + nonce + "," + proof, errBinding},
		{"binding not base64", "c=*,r=" + nonce + "," + proof, errBinding},
		{"short proof", "c=biws,r=" + nonce + ",p=AAAA", errProof},
		{"empty proof", "c=biws,r=" + nonce + ",p=", errProof},
		{"long proof", "c=biws,r=" + nonce + ",p=" + strings.Repeat("AAAA", 20), errProof},
		{"extension that is not in the proof", "c=biws,r=" + nonce + ",x=y," + proof, errProof},
		{"changed proof", strings.Replace(v.clientFinal, "p=dHzb", "p=eHzb", 1), errProof},
	}
	for _, test := range tests {
		e := rfcExchange(t, 1)
		if _, err := e.first([]byte(v.clientFirst)); err != nil {
			t.Fatal(err)
		}
		reply, err := e.final([]byte(test.message))
		switch {
		case err == nil:
			t.Errorf("%s: accepted with %s", test.name, reply)
		case test.want != nil && !errors.Is(err, test.want):
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		case test.want == nil && (errors.Is(err, errProof) || errors.Is(err, errBinding)):
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func FuzzClientFirst(f *testing.F) {
	for _, v := range rfcVectors {
		f.Add([]byte(v.clientFirst))
	}
	f.Add([]byte("p=tls-server-end-point,,n=*,r=abc,x=y"))
	f.Add([]byte("y,a=admin,n=user,r=abc"))
	f.Fuzz(func(t *testing.T, message []byte) {
		m, err := parseClientFirst(message)
		if err != nil {
			return
		}
		if string(m.gs2)+string(m.bare) != string(message) || !validNonce([]byte(m.nonce)) || (m.flag == 'p') != (m.binding != "") {
			t.Errorf("%q is read as %+v", message, m)
		}
	})
}

func FuzzClientFinal(f *testing.F) {
	for _, v := range rfcVectors {
		f.Add([]byte(v.clientFinal))
	}
	f.Add([]byte("c=,r=,p="))
	f.Add([]byte("c=biws,r=abc,x=,p=,p=AAAA"))
	f.Fuzz(func(t *testing.T, message []byte) {
		m, err := parseClientFinal(message)
		if err != nil {
			return
		}
		if string(m.withoutProof)+",p="+encode64(m.proof) != string(message) || len(m.proof) > maxSCRAMMessage {
			t.Errorf("%q is read as %+v", message, m)
		}
		e := exchange{newHash: sha256.New, step: 1, nonce: "abc", gs2: []byte("n,,")}
		if reply, err := e.final(message); err == nil {
			t.Errorf("%q proves something: %s", message, reply)
		}
	})
}
