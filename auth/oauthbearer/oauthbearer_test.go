package oauthbearer

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for message, want := range map[string]string{
		"n,,\x01auth=Bearer a.b.c\x01\x01":                     "a.b.c",
		"y,,\x01auth=bearer   a+/~_-.==\x01\x01":               "a+/~_-.==",
		"n,,\x01auth=\x01\x01":                                 "",
		"n,,\x01host=db\x01port=5432\x01auth=Bearer x\x01\x01": "x",
		"n,,\x01auth=Bearer x\x01more=a=b\x01\x01":             "x",
		"":                            "!no GS2",
		"n,,":                         "!no GS2",
		"n,\x01auth=Bearer x\x01\x01": "!no GS2",
		"auth=Bearer x\x01\x01":       "!no GS2",
		"p=tls-exporter,,\x01auth=Bearer x\x01\x01":         "!does not bind",
		"q,,\x01auth=Bearer x\x01\x01":                      "!without its flag",
		"n,a=root,\x01auth=Bearer x\x01\x01":                "!authorization identity",
		"n,,\x01auth=Bearer x\x01":                          "!does not end",
		"n,,\x01auth=Bearer x":                              "!does not end",
		"n,,\x01auth=Bearer x\x01\x01auth=Bearer y\x01\x01": "!does not end",
		"n,,\x01auth=Bearer x\x01auth=Bearer y\x01\x01":     "!several",
		"n,,\x01\x01":                      "!does not end",
		"n,,\x01host=a\x01\x01":            "!no token",
		"n,,\x01=x\x01\x01":                "!without a key",
		"n,,\x01auth\x01\x01":              "!without a key",
		"n,,\x01au th=x\x01\x01":           "!without a key",
		"n,,\x01auth=Basic x\x01\x01":      "!not a bearer",
		"n,,\x01auth=Bearer\x01\x01":       "!not a bearer",
		"n,,\x01auth=Bearer \x01\x01":      "!not a bearer",
		"n,,\x01auth=Bearer a b\x01\x01":   "!not a bearer",
		"n,,\x01auth=Bearer a\x00\x01\x01": "!holds a zero",
		"n,,\x01auth=Bearer " + strings.Repeat("x", MaxMessage) + "\x01\x01":    "!too long",
		"n,,\x01auth=Bearer x\x01host=" + strings.Repeat("=", 100) + "\x01\x01": "x",
		"n,,\x01auth=Bearer ===\x01\x01":                                        "===",
		"n,,\x01auth=Bearer x=y\x01\x01":                                        "!not a bearer",
		"n,,\x01auth=Bearer x\x01\x01\x01":                                      "!without a key",
		"n,,extra\x01auth=Bearer x\x01\x01":                                     "!no GS2",
	} {
		got, err := Parse([]byte(message))
		refused, bad := strings.CutPrefix(want, "!")
		if bad != (err != nil) || !bad && got != want || bad && !strings.Contains(err.Error(), refused) {
			t.Errorf("%.60q: %q, %v; want %q", message, got, err, want)
		}
	}
}

func TestChallenge(t *testing.T) {
	var said map[string]string
	if err := json.Unmarshal(Challenge(`https://a/"b`, "openid"), &said); err != nil {
		t.Fatal(err)
	}
	if said["status"] != "invalid_token" || said["openid-configuration"] != `https://a/"b` || said["scope"] != "openid" {
		t.Errorf("%v", said)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("n,,\x01auth=Bearer a.b.c\x01\x01"))
	f.Add([]byte("n,,\x01auth=\x01\x01"))
	f.Add([]byte("y,a=x,\x01host=a\x01auth=Bearer x\x01\x01"))
	f.Fuzz(func(t *testing.T, message []byte) {
		token, err := Parse(message)
		if err != nil && token != "" || err == nil && strings.ContainsAny(token, "\x00\x01 ") {
			t.Errorf("%q: %q %v", message, token, err)
		}
	})
}
