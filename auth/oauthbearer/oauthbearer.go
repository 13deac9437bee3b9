// Package oauthbearer reads and writes what the SASL mechanism OAUTHBEARER sends
// (RFC 7628), as PostgreSQL 18's libpq speaks it. It checks no token.
package oauthbearer

import (
	"encoding/json"
	"errors"
	"strings"
)

// Mechanism is its name in SASL.
const Mechanism = "OAUTHBEARER"

// Kill is the client's answer to a Challenge, after which the exchange has failed.
const Kill = "\x01"

// MaxMessage bounds a client's message, in bytes; tokens are at most that long.
const MaxMessage = 16 << 10

// Parse takes the token out of a client's first message; it is empty where the
// client asks which provider to go to (section 4.3). Its errors do not quote the
// message.
func Parse(message []byte) (token string, err error) {
	text := string(message)
	if len(text) > MaxMessage || strings.ContainsRune(text, 0) {
		return "", errors.New("a message of OAUTHBEARER that is too long or holds a zero")
	}
	head, text, ok := strings.Cut(text, "\x01")
	flag, authzid, commas := strings.Cut(strings.TrimSuffix(head, ","), ",")
	switch {
	case !ok || !strings.HasSuffix(head, ",") || !commas:
		return "", errors.New("no GS2 header in front of the token")
	case strings.HasPrefix(flag, "p="):
		return "", errors.New("OAUTHBEARER does not bind to the channel")
	case flag != "n" && flag != "y":
		return "", errors.New("a GS2 header without its flag")
	case authzid != "":
		return "", errors.New("nobody may be somebody else: no authorization identity")
	}
	pairs, ok := strings.CutSuffix(text, "\x01\x01")
	if !ok || strings.Contains(pairs, "\x01\x01") {
		return "", errors.New("a message of OAUTHBEARER that does not end")
	}
	found := false
	for pair := range strings.SplitSeq(pairs, "\x01") {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" || strings.Trim(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			return "", errors.New("a pair of OAUTHBEARER without a key")
		}
		if key != "auth" {
			continue // section 3.1: what is not known is left alone
		}
		if found {
			return "", errors.New("several tokens")
		}
		found = true
		if token, err = bearer(value); err != nil {
			return "", err
		}
	}
	if !found {
		return "", errors.New("no token")
	}
	return token, nil
}

// bearer is the token of an Authorization header (RFC 6750, section 2.1).
func bearer(value string) (string, error) {
	if value == "" {
		return "", nil
	}
	scheme, token, ok := strings.Cut(value, " ")
	token = strings.TrimLeft(token, " ")
	if !ok || !strings.EqualFold(scheme, "bearer") || token == "" ||
		strings.Trim(strings.TrimRight(token, "="), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/") != "" {
		return "", errors.New("not a bearer token")
	}
	return token, nil
}

// Challenge tells a client whose token does not do, or that has none, where to
// get one.
func Challenge(discovery, scope string) []byte {
	text, _ := json.Marshal(struct { // of strings: cannot fail
		Status    string `json:"status"`
		Discovery string `json:"openid-configuration"`
		Scope     string `json:"scope"`
	}{"invalid_token", discovery, scope})
	return text
}
