package oidc

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weirdb/weir/auth/external"
)

const (
	maxGroups = 1000
	maxClaim  = 255
)

// claims are those that every token has.
type claims struct {
	Subject   string   `json:"sub"`
	Audience  audience `json:"aud"`
	Expiry    *seconds `json:"exp"`
	NotBefore *seconds `json:"nbf"`
	IssuedAt  *seconds `json:"iat"`
	AuthTime  *seconds `json:"auth_time"`
	Name      string   `json:"name"`
	Email     string   `json:"email"`
	Verified  any      `json:"email_verified"` // some write it as text
	Methods   []string `json:"amr"`
	Class     string   `json:"acr"`
}

// audience is one or several.
type audience []string

func (a *audience) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(a))
}

// seconds is a NumericDate (RFC 7519, section 2), whole or not.
type seconds float64

func (s *seconds) time() time.Time {
	if s == nil {
		return time.Time{}
	}
	return time.UnixMilli(int64(float64(*s) * 1000)).UTC()
}

// Looks says that a password has the shape of a signed token: three parts in
// base64url, the first of which is a JSON object.
func Looks(password string) bool {
	_, err := headerOf(password)
	return err == nil
}

type header struct {
	Type      string `json:"typ"`
	Algorithm string `json:"alg"`
}

func headerOf(token string) (header, error) {
	var h header
	parts := strings.Split(token, ".")
	if len(token) > maxToken || len(parts) != 3 {
		return h, errors.New("not a signed token of a bearable length")
	}
	for _, part := range parts {
		if part == "" || strings.Trim(part, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return h, errors.New("not a signed token")
		}
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err == nil {
		err = json.Unmarshal(text, &h)
	}
	return h, err
}

// Check proves somebody by a token, whose claim has to be the login name, in any
// case. Its errors are *external.Failure.
func (i *Issuer) Check(ctx context.Context, name, token string) (*external.Person, error) {
	h, err := headerOf(token)
	if err != nil {
		return nil, i.refuse(external.Malformed, errors.New("not a signed token"))
	}
	switch strings.ToLower(strings.TrimPrefix(h.Type, "application/")) {
	case "", "jwt", "at+jwt":
	default: // a logout token, for example, is signed by the same keys
		return nil, i.refuse(external.Malformed, errors.New("a token of another type"))
	}
	if !slices.Contains(i.cfg.Algorithms, h.Algorithm) {
		return nil, i.refuse(external.Wrong, errors.New("signed by an algorithm that is not allowed"))
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	verifier, err := i.keys(ctx)
	if err != nil {
		return nil, i.refuse(external.Unavailable, fmt.Errorf("discovery: %w", err))
	}
	signed, err := verifier.Verify(ctx, token)
	if err != nil {
		return nil, i.unverified(err)
	}
	var c claims
	var all map[string]any
	if err := errors.Join(signed.Claims(&c), signed.Claims(&all)); err != nil {
		return nil, i.refuse(external.Malformed, errors.New("claims of other types than expected"))
	}
	if err := i.valid(&c); err != nil {
		return nil, err
	}
	return i.person(name, &c, all)
}

func (i *Issuer) refuse(reason external.Reason, cause error) error {
	return &external.Failure{Source: i.cfg.Source, Reason: reason, Cause: cause}
}

// unverified tells a provider that does not answer from a token that is not its
// own.
func (i *Issuer) unverified(err error) error {
	text := err.Error()
	switch {
	case strings.Contains(text, errRecent.Error()): // which is not wrapped on the way
		return i.refuse(external.Wrong, errors.New("signed by an unknown key"))
	case strings.Contains(text, "different provider"):
		return i.refuse(external.Issuer, errors.New("a token of another issuer"))
	case strings.Contains(text, "fetching keys"):
		return i.refuse(external.Unavailable, err)
	case strings.Contains(text, "malformed jwt"), strings.Contains(text, "unmarshal"):
		return i.refuse(external.Malformed, errors.New("not a signed token"))
	}
	return i.refuse(external.Wrong, errors.New("the signature is not the issuer's"))
}

// valid checks audience and times.
func (i *Issuer) valid(c *claims) error {
	now := i.cfg.Now()
	switch {
	case !slices.ContainsFunc(c.Audience, func(a string) bool { return slices.Contains(i.cfg.Audiences, a) }):
		return i.refuse(external.Audience, errors.New("meant for somebody else"))
	case c.Expiry == nil:
		return i.refuse(external.Malformed, errors.New("a token without an end"))
	case !now.Before(c.Expiry.time().Add(i.cfg.Skew)):
		return i.refuse(external.Expired, fmt.Errorf("expired at %s", c.Expiry.time().Format(time.RFC3339)))
	case c.NotBefore != nil && now.Add(i.cfg.Skew).Before(c.NotBefore.time()):
		return i.refuse(external.NotYet, fmt.Errorf("not valid before %s", c.NotBefore.time().Format(time.RFC3339)))
	case c.IssuedAt != nil && now.Add(i.cfg.Skew).Before(c.IssuedAt.time()):
		return i.refuse(external.NotYet, fmt.Errorf("issued at %s", c.IssuedAt.time().Format(time.RFC3339)))
	case c.Subject == "" || len(c.Subject) > maxClaim:
		return i.refuse(external.Malformed, errors.New("no subject"))
	}
	return nil
}

func (i *Issuer) person(name string, c *claims, all map[string]any) (*external.Person, error) {
	claimed, _ := at(all, i.cfg.NameClaim).(string)
	name = strings.ToLower(name)
	switch {
	case claimed == "" || len(claimed) > maxClaim:
		return nil, i.refuse(external.Malformed, fmt.Errorf("no claim %q", i.cfg.NameClaim))
	case i.cfg.NameClaim == "email" && c.Verified != true && c.Verified != "true":
		return nil, i.refuse(external.Wrong, errors.New("the address is not verified"))
	case strings.ToLower(claimed) != name:
		return nil, i.refuse(external.Wrong, errors.New("somebody else's token"))
	}
	p := &external.Person{Source: i.cfg.Source, Subject: c.Subject, Name: name, DisplayName: c.Name, Email: c.Email, Expires: c.Expiry.time(), Authenticated: c.AuthTime.time()}
	if c.AuthTime == nil {
		p.Authenticated = c.IssuedAt.time()
	}
	if now := i.cfg.Now().UTC(); p.Authenticated.IsZero() || p.Authenticated.After(now) { // nothing is younger than now
		p.Authenticated = now
	}
	p.MFA = slices.Contains(i.cfg.MFA, c.Class) || slices.ContainsFunc(c.Methods, func(m string) bool { return slices.Contains(i.cfg.MFA, m) })
	for _, claim := range i.cfg.GroupClaims {
		switch v := at(all, claim).(type) {
		case string:
			p.Groups = append(p.Groups, strings.Fields(v)...)
		case []any:
			for _, g := range v {
				if s, ok := g.(string); ok && s != "" {
					p.Groups = append(p.Groups, s)
				}
			}
		}
	}
	if len(p.Groups) > maxGroups {
		return nil, i.refuse(external.Malformed, fmt.Errorf("more than %d groups", maxGroups))
	}
	slices.Sort(p.Groups)
	p.Groups = slices.Compact(p.Groups)
	return p, nil
}

// at finds a claim, whose name may itself have dots, as those that are URLs do.
func at(all map[string]any, path string) any {
	if v, ok := all[path]; ok {
		return v
	}
	for i, r := range path {
		if r == '.' {
			if inner, ok := all[path[:i]].(map[string]any); ok {
				if v := at(inner, path[i+1:]); v != nil {
					return v
				}
			}
		}
	}
	return nil
}
