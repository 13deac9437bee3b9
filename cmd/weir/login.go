package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/spf13/cobra"
	"golang.org/x/oauth2"

	"github.com/weirdb/weir/control"
	"github.com/weirdb/weir/protocol/mywire/upstream"
)

// loginSession is what `weir login` keeps of a login, in a file of mode 0600.
type loginSession struct {
	URL string `json:"url"`
	CA  string `json:"ca,omitempty"`
	control.Grant
}

// loginFlags say where to log in, and as whom.
type loginFlags struct {
	ca, user, provider, datasource, output string
	stdin                                  bool
}

func newLoginCommand() *cobra.Command {
	var f loginFlags
	cmd := &cobra.Command{
		Use:   "login URL",
		Short: "Log in once, and get a password for database clients",
		Long: `Log in at a weir, with your user name and password or at your company's OpenID
provider, and get a password that database clients use for some hours. It is kept for
weir connect in a file that nobody else can read, and printed on request. One login
serves any number of connections.` + exitCodesHelp,
		Example: `  weir login https://weir.example:8443                       # at the provider
  weir login https://weir.example:8443 --user ana            # asks for the password
  weir login https://weir.example:8443 --output json | jq -r .password`,
		Args: arguments(1),
		RunE: reporting(func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) }),
	}
	cmd.Flags().StringVar(&f.ca, "ca", "", "PEM file of authorities for the weir and the provider (default: the system's)")
	cmd.Flags().StringVar(&f.user, "user", "", "user name; without it, the provider says who you are")
	cmd.Flags().StringVar(&f.provider, "provider", "", "name of the provider, where there are several")
	cmd.Flags().StringVar(&f.datasource, "datasource", "", "the one datasource that the password is for (default: all)")
	cmd.Flags().BoolVar(&f.stdin, "password-stdin", false, "read the password from the first line of standard input")
	outputFlag(cmd, &f.output)
	return cmd
}

func (f *loginFlags) run(cmd *cobra.Command, address string) error {
	ctx := cmd.Context()
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return &usageError{fmt.Errorf("%q is no URL such as https://weir.example:8443", address)}
	}
	client, err := httpsClient(f.ca)
	if err != nil {
		return err
	}
	request := control.Request{User: f.user, Datasource: f.datasource, Name: deviceName()}
	switch {
	case f.user == "":
		if request.User, request.Password, err = f.atProvider(ctx, cmd.ErrOrStderr(), client, u); err != nil {
			return err
		}
	case f.stdin:
		request.Password, err = passwordFromLine(cmd.InOrStdin())
	default:
		request.Password, err = askPassword(cmd, f.user)
	}
	if err != nil {
		return err
	}
	var grant control.Grant
	if err := call(ctx, client, u.JoinPath("v1/sessions").String(), request, &grant); err != nil {
		return err
	}
	session := loginSession{URL: address, CA: f.ca, Grant: grant}
	if err := session.save(); err != nil {
		return err
	}
	if f.output == "json" {
		return writeJSON(cmd.OutOrStdout(), session)
	}
	return session.show(cmd.OutOrStdout(), u.Hostname())
}

// show tells what the password is good for, without it.
func (s *loginSession) show(w io.Writer, host string) error {
	fmt.Fprintf(w, "logged in as %s until %s\n", s.User, s.ExpiresAt.Local().Format(time.DateTime))
	for _, p := range s.Places {
		if _, err := fmt.Fprintf(w, "  weir connect %-20s (%s at %s:%d)\n", p.Datasource, p.Protocol, host, p.Port); err != nil {
			return err
		}
	}
	return nil
}

func deviceName() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return loginApplication
	}
	return loginApplication + " on " + name
}

func httpsClient(ca string) (*http.Client, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		roots, err := upstream.LoadCA(ca)
		if err != nil {
			return nil, err
		}
		config.RootCAs = roots
	}
	return &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: config, Proxy: http.ProxyFromEnvironment}}, nil
}

// call sends a request, nil for GET, and reads the answer.
func call(ctx context.Context, client *http.Client, address string, in, out any) error {
	method, body := http.MethodGet, io.Reader(nil)
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		method, body = http.MethodPost, bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		var refusal struct{ Error string }
		if json.Unmarshal(text, &refusal) == nil && refusal.Error != "" {
			return errors.New(refusal.Error)
		}
		return fmt.Errorf("%s: %s", address, resp.Status)
	}
	return json.Unmarshal(text, out)
}

// atProvider gets an ID token by the device flow (RFC 8628): the browser may be
// anywhere.
func (f *loginFlags) atProvider(ctx context.Context, out io.Writer, client *http.Client, weir *url.URL) (user, token string, err error) {
	var said struct{ Providers []control.Provider }
	if err := call(ctx, client, weir.JoinPath("v1/login").String(), nil, &said); err != nil {
		return "", "", err
	}
	i := slices.IndexFunc(said.Providers, func(p control.Provider) bool { return f.provider == "" || p.Name == f.provider })
	switch {
	case i < 0 && f.provider != "":
		return "", "", fmt.Errorf("this weir has no provider %q", f.provider)
	case i < 0:
		return "", "", &usageError{errors.New("this weir has no provider; give --user")}
	case f.provider == "" && len(said.Providers) > 1:
		return "", "", &usageError{errors.New("this weir has several providers; give --provider")}
	}
	p := said.Providers[i]
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, client), p.Issuer)
	if err != nil {
		return "", "", fmt.Errorf("ask provider %s: %w", p.Name, err)
	}
	config := oauth2.Config{ClientID: p.ClientID, Endpoint: provider.Endpoint(), Scopes: strings.Fields(p.Scope)}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, client)
	device, err := config.DeviceAuth(ctx)
	if err != nil {
		return "", "", fmt.Errorf("begin the login at provider %s: %w", p.Name, err)
	}
	where := device.VerificationURIComplete
	if where == "" {
		where = device.VerificationURI
	}
	fmt.Fprintf(out, "Open this in a browser and check that it shows the code %s:\n\n  %s\n\n", device.UserCode, where)
	tokens, err := config.DeviceAccessToken(ctx, device)
	if err != nil {
		return "", "", fmt.Errorf("log in at provider %s: %w", p.Name, err)
	}
	token, _ = tokens.Extra("id_token").(string)
	return emailOf(token), token, nil
}

// emailOf is the login name that a token claims. weir checks it.
func emailOf(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	text, _ := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct {
		Email string `json:"email"`
		Name  string `json:"preferred_username"`
	}
	_ = json.Unmarshal(text, &claims)
	if claims.Email != "" {
		return claims.Email
	}
	return claims.Name
}

// sessionsFile keeps the logins of the operating system's user.
func sessionsFile() (string, error) {
	folder, err := os.UserConfigDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(folder, "weir", "sessions.json"), nil
}

func loadSessions() ([]loginSession, error) {
	path, err := sessionsFile()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var sessions []loginSession
	if err := json.Unmarshal(text, &sessions); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return slices.DeleteFunc(sessions, func(s loginSession) bool { return time.Now().After(s.ExpiresAt) }), nil
}

// save keeps a login, the newest first, in the place of those to the same weir
// that reach no more than it does.
func (s *loginSession) save() error {
	sessions, err := loadSessions()
	if err != nil {
		return err
	}
	reached := func(o loginSession) bool {
		return o.URL == s.URL && !slices.ContainsFunc(o.Places, func(p control.Place) bool {
			return !slices.ContainsFunc(s.Places, func(q control.Place) bool { return p.Datasource == q.Datasource })
		})
	}
	return writeSessions(append([]loginSession{*s}, slices.DeleteFunc(sessions, reached)...))
}

func writeSessions(sessions []loginSession) error {
	path, err := sessionsFile()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	text, err := json.MarshalIndent(sessions, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "sessions-") // of mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return os.Rename(f.Name(), path)
}
