// Package aws reads secrets of AWS Secrets Manager. Credentials come from the
// SDK's default chain: environment, shared files, web identity, SSO, the
// instance's or container's role.
//
// Invariant: no secret stands in an error.
//
// The package does not know what secrets are for.
package aws

import (
	"context"
	"errors"
	"fmt"
	"sync"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"github.com/weirdb/weir/secrets"
)

// Options say where the service is. Zero values leave it to the SDK's chain.
type Options struct {
	Region   string
	Endpoint string // URL, for a private endpoint
}

// Provider reads from one region. It is safe for concurrent use.
type Provider struct {
	options Options

	mu     sync.Mutex
	client *secretsmanager.Client
}

// Open makes a provider. Nothing is looked for before the first Read.
func Open(o Options) *Provider { return &Provider{options: o} }

// Read reads the secret of a name or ARN: of a version's id or stage, or
// the current one.
func (p *Provider) Read(ctx context.Context, at secrets.Location) (secrets.Document, error) {
	c, err := p.connect(ctx)
	if err != nil {
		return secrets.Document{}, err
	}
	in := &secretsmanager.GetSecretValueInput{SecretId: &at.Path}
	if at.Version != "" {
		in.VersionId = &at.Version
	}
	if at.Stage != "" {
		in.VersionStage = &at.Stage
	}
	out, err := c.GetSecretValue(ctx, in)
	if err != nil {
		var api smithy.APIError
		if errors.As(err, &api) {
			return secrets.Document{}, fmt.Errorf("aws answers %s: %.300s", api.ErrorCode(), api.ErrorMessage())
		}
		return secrets.Document{}, fmt.Errorf("read from aws: %w", err)
	}
	if out.SecretString != nil {
		return secrets.TextDocument(*out.SecretString), nil
	}
	return secrets.TextDocument(string(out.SecretBinary)), nil
}

func (p *Provider) connect(ctx context.Context) (*secretsmanager.Client, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.client != nil {
		return p.client, nil
	}
	var load []func(*config.LoadOptions) error
	if p.options.Region != "" {
		load = append(load, config.WithRegion(p.options.Region))
	}
	c, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, fmt.Errorf("aws: %w", err)
	}
	if c.Region == "" {
		return nil, errors.New("aws has no region; set secrets.aws.region or AWS_REGION")
	}
	p.client = secretsmanager.NewFromConfig(c, func(o *secretsmanager.Options) {
		if p.options.Endpoint != "" {
			o.BaseEndpoint = sdk.String(p.options.Endpoint)
		}
	})
	return p.client, nil
}
