// Package azure reads secrets of an Azure Key Vault. Credentials come from the
// SDK's default chain: environment, workload identity, managed identity, the
// tools that somebody is logged in with.
//
// Invariant: no secret stands in an error.
//
// The package does not know what secrets are for.
package azure

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"github.com/weirdb/weir/secrets"
)

// Options say which vault.
type Options struct {
	Vault      string                 // https://NAME.vault.azure.net
	HTTP       *http.Client           // nil: the SDK's own
	Credential azcore.TokenCredential // nil: the default chain
}

// Provider reads from one vault. It is safe for concurrent use.
type Provider struct{ client *azsecrets.Client }

// Open makes a provider. Nothing is sent before the first Read.
func Open(o Options) (*Provider, error) {
	var client azcore.ClientOptions
	if o.HTTP != nil {
		client.Transport = o.HTTP
	}
	if o.Credential == nil {
		chain, err := azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{ClientOptions: client})
		if err != nil {
			return nil, fmt.Errorf("azure's credentials: %w", err)
		}
		o.Credential = chain
	}
	c, err := azsecrets.NewClient(o.Vault, o.Credential, &azsecrets.ClientOptions{ClientOptions: client})
	if err != nil {
		return nil, err
	}
	return &Provider{c}, nil
}

// Read reads the secret of a name: a version, or the newest.
func (p *Provider) Read(ctx context.Context, at secrets.Location) (secrets.Document, error) {
	if at.Stage != "" {
		return secrets.Document{}, errors.New("azure has versions and no stages")
	}
	if strings.Contains(at.Path, "/") {
		return secrets.Document{}, errors.New("a secret's name has no / in it; the vault is secrets.azure.vault")
	}
	out, err := p.client.GetSecret(ctx, at.Path, at.Version, nil)
	if err != nil {
		var answer *azcore.ResponseError
		if errors.As(err, &answer) {
			return secrets.Document{}, fmt.Errorf("azure answers %d %s", answer.StatusCode, answer.ErrorCode)
		}
		return secrets.Document{}, fmt.Errorf("read from azure: %w", err)
	}
	if out.Value == nil {
		return secrets.Document{}, errors.New("there is nothing there")
	}
	return secrets.TextDocument(*out.Value), nil
}
