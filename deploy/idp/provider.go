package idp

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/weirdb/weir/deploy/ports"
)

//go:embed provider.mjs
var providerScript string

// Provider is a running OpenID provider, npm's certified oidc-provider. Its people
// are ana, ben and eve (who claims ana's address without proof), each with the
// password "NAME at the provider"; the client weir is public, job is a service.
type Provider struct {
	Issuer string

	folder string
	stop   func()
	done   chan struct{}
}

// StartProvider starts the provider. The modules are in the folder
// .cache/identity of the project, whose root is given. The caller stops it.
func StartProvider(ctx context.Context, root string) (*Provider, error) {
	modules, err := filepath.Abs(filepath.Join(root, ".cache", "identity", "node_modules"))
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(modules, "oidc-provider")); err != nil {
		return nil, fmt.Errorf("find oidc-provider: %w; `make servers` installs it", err)
	}
	folder, err := os.MkdirTemp("", "weir-provider-")
	if err != nil {
		return nil, err
	}
	p := &Provider{folder: folder}
	if err := p.start(ctx, modules, 0); err != nil {
		_ = os.RemoveAll(folder)
		return nil, fmt.Errorf("start OpenID provider: %w", err)
	}
	return p, nil
}

func (p *Provider) start(ctx context.Context, modules string, port int) error {
	if port == 0 {
		var err error
		if port, err = ports.One(); err != nil {
			return err
		}
	}
	script := filepath.Join(p.folder, "provider.mjs")
	if err := os.WriteFile(script, []byte(providerScript), 0o600); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(p.folder, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command("node", script, fmt.Sprint(port))
	cmd.Env = append(os.Environ(), "PROVIDER_MODULES="+modules)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	p.Issuer = fmt.Sprintf("http://127.0.0.1:%d", port)
	p.done = make(chan struct{})
	go func() { // ends with the process
		_ = cmd.Wait()
		close(p.done)
	}()
	p.stop = func() { _ = cmd.Process.Kill() }
	if err := listening(ctx, port, p.done); err != nil {
		said, _ := os.ReadFile(log.Name())
		p.stop()
		return fmt.Errorf("%w: %.2000s", err, said)
	}
	return nil
}

// Stop ends the provider. A second time does nothing.
func (p *Provider) Stop() {
	p.stop()
	<-p.done
	_ = os.RemoveAll(p.folder)
}

// Rotate makes new signing keys.
func (p *Provider) Rotate(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.Issuer+"/test/rotate", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// Tokens are what a login gives.
type Tokens struct {
	ID     string `json:"id_token"`
	Access string `json:"access_token"`
	Error  string `json:"error"`
}

const verifier = "a-verifier-that-is-long-enough-for-pkce-0123456789"

// Login logs somebody in as a browser would, for a public client (weir or other).
func (p *Provider) Login(ctx context.Context, client, user string) (Tokens, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return Tokens{}, err
	}
	const callback = "http://127.0.0.1/callback"
	var code, refusal string
	browser := &http.Client{Jar: jar, Timeout: 10 * time.Second, CheckRedirect: func(req *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(req.URL.String(), callback) {
			code, refusal = req.URL.Query().Get("code"), req.URL.Query().Get("error_description")
			return http.ErrUseLastResponse
		}
		return nil
	}}
	challenge := sha256.Sum256([]byte(verifier))
	query := url.Values{"client_id": {client}, "response_type": {"code"}, "redirect_uri": {callback}, "scope": {"openid email profile groups connect"}, "state": {"s"}, "nonce": {"n"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"}}
	resp, err := browser.Get(p.Issuer + "/auth?" + query.Encode())
	if err != nil {
		return Tokens{}, err
	}
	_ = resp.Body.Close()
	if code == "" && refusal == "" {
		resp, err = browser.PostForm(resp.Request.URL.String(), url.Values{"login": {user}, "password": {user + " at the provider"}})
		if err != nil {
			return Tokens{}, err
		}
		defer resp.Body.Close()
	}
	if code == "" {
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 2000))
		return Tokens{}, fmt.Errorf("log in at the provider: %s %s%.2000s", resp.Status, refusal, said)
	}
	return p.token(ctx, url.Values{"grant_type": {"authorization_code"}, "client_id": {client}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier}}, "")
}

var field = regexp.MustCompile(`name="(xsrf|user_code)" value="([^"]+)"`)

// Approve does in a browser's place what the page of a device flow asks for.
func (p *Provider) Approve(ctx context.Context, page, user string) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	browser := &http.Client{Jar: jar, Timeout: 10 * time.Second}
	resp, err := browser.Get(page)
	for range 6 {
		if err != nil {
			return err
		}
		text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		_ = resp.Body.Close()
		if err != nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		form := url.Values{}
		for _, f := range field.FindAllStringSubmatch(string(text), -1) {
			form.Set(f[1], f[2])
		}
		switch {
		case strings.Contains(string(text), "name=password"):
			form = url.Values{"login": {user}, "password": {user + " at the provider"}}
			resp, err = browser.PostForm(resp.Request.URL.String(), form)
		case form.Has("xsrf"):
			form.Set("confirm", "yes")
			resp, err = browser.PostForm(p.Issuer+"/device", form)
		case resp.StatusCode == http.StatusOK:
			return nil
		default:
			return fmt.Errorf("approve at the provider: %s %.2000s", resp.Status, text)
		}
		if err != nil {
			return err
		}
	}
	return errors.New("approve at the provider: there is no end")
}

// Job gets an access token for the service.
func (p *Provider) Job(ctx context.Context) (Tokens, error) {
	return p.token(ctx, url.Values{"grant_type": {"client_credentials"}, "scope": {"connect"}}, "secret of the job")
}

func (p *Provider) token(ctx context.Context, form url.Values, secret string) (Tokens, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.Issuer+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		return Tokens{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if secret != "" {
		req.SetBasicAuth("job", url.QueryEscape(secret))
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return Tokens{}, err
	}
	defer resp.Body.Close()
	var t Tokens
	if err := json.NewDecoder(resp.Body).Decode(&t); err != nil {
		return t, err
	}
	if t.Error != "" {
		return t, fmt.Errorf("get tokens: %s", t.Error)
	}
	return t, nil
}
