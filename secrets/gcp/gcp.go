// Package gcp reads secrets of Google Cloud Secret Manager over its REST API.
// Credentials are Google's application default ones: a file that is named by
// the environment, gcloud's, workload identity, the machine's account.
//
// Invariant: no secret stands in an error, and what is read has its checksum.
//
// The package does not know what secrets are for.
package gcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"

	"github.com/weirdb/weir/secrets"
)

const (
	service = "https://secretmanager.googleapis.com"
	scope   = "https://www.googleapis.com/auth/cloud-platform"
	maxBody = 1 << 20 // of an answer, in bytes; a secret has 64 KiB at most
)

// Options say where secrets are.
type Options struct {
	Project  string // for names without projects/ in front
	Endpoint string // URL, for a regional or private endpoint
}

// Provider reads from the service. It is safe for concurrent use.
type Provider struct {
	options Options
	http    *http.Client

	mu     sync.Mutex
	tokens oauth2.TokenSource
}

// Open makes a provider. Nothing is looked for before the first Read.
func Open(o Options) *Provider {
	if o.Endpoint == "" {
		o.Endpoint = service
	}
	return &Provider{options: o, http: &http.Client{Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// Read reads projects/P/secrets/S, or S of the configured project: a version's
// number or alias, or the latest.
func (p *Provider) Read(ctx context.Context, at secrets.Location) (secrets.Document, error) {
	name, err := p.name(at)
	if err != nil {
		return secrets.Document{}, err
	}
	token, err := p.token()
	if err != nil {
		return secrets.Document{}, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(p.options.Endpoint, "/")+"/v1/"+name+":access", nil)
	if err != nil {
		return secrets.Document{}, errors.New("request cannot be made")
	}
	token.SetAuthHeader(r)
	response, err := p.http.Do(r)
	if err != nil {
		return secrets.Document{}, fmt.Errorf("google cannot be reached: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil {
		return secrets.Document{}, fmt.Errorf("google's answer breaks off: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		var failure struct {
			Error struct{ Status, Message string }
		}
		_ = json.Unmarshal(text, &failure) // a proxy in between may say it otherwise
		return secrets.Document{}, fmt.Errorf("google answers %d %s: %.300s", response.StatusCode, failure.Error.Status, failure.Error.Message)
	}
	return payload(text)
}

func payload(text []byte) (secrets.Document, error) {
	var a struct {
		Payload struct {
			Data       []byte
			DataCrc32c *uint32 `json:",string"`
		}
	}
	if json.Unmarshal(text, &a) != nil {
		return secrets.Document{}, errors.New("google's answer is not what its API documents")
	}
	if sum := a.Payload.DataCrc32c; sum == nil || *sum != crc32.Checksum(a.Payload.Data, crc32.MakeTable(crc32.Castagnoli)) {
		return secrets.Document{}, errors.New("google's answer is damaged: its checksum is another")
	}
	return secrets.TextDocument(string(a.Payload.Data)), nil
}

func (p *Provider) name(at secrets.Location) (string, error) {
	if at.Stage != "" {
		return "", errors.New("google has versions with aliases and no stages")
	}
	path, version := at.Path, at.Version
	if version == "" {
		version = "latest"
	}
	if !strings.HasPrefix(path, "projects/") {
		if p.options.Project == "" {
			return "", errors.New("it names no project; write projects/P/secrets/S or set secrets.gcp.project")
		}
		path = "projects/" + p.options.Project + "/secrets/" + path
	}
	steps := strings.Split(path+"/versions/"+version, "/")
	for i := range steps {
		steps[i] = url.PathEscape(steps[i])
	}
	return strings.Join(steps, "/"), nil
}

// token finds the credentials once; the source renews the token.
func (p *Provider) token() (*oauth2.Token, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tokens == nil {
		// The source keeps the context for later requests.
		ctx := context.WithValue(context.Background(), oauth2.HTTPClient, p.http)
		found, err := google.FindDefaultCredentials(ctx, scope)
		if err != nil {
			return nil, fmt.Errorf("google's credentials: %w", err)
		}
		p.tokens = found.TokenSource
	}
	t, err := p.tokens.Token()
	if err != nil {
		var refused *oauth2.RetrieveError
		if errors.As(err, &refused) && refused.Response != nil {
			return nil, fmt.Errorf("google gives no token: %d %s", refused.Response.StatusCode, refused.ErrorCode)
		}
		return nil, fmt.Errorf("google gives no token: %w", err)
	}
	return t, nil
}
