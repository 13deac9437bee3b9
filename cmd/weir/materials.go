package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/weirdb/weir/audit"
	"github.com/weirdb/weir/auth"
	"github.com/weirdb/weir/configs"
	"github.com/weirdb/weir/masking"
	"github.com/weirdb/weir/policy"
	"github.com/weirdb/weir/protocol/pgwire/upstream"
	"github.com/weirdb/weir/proxy"
	"github.com/weirdb/weir/secrets"
	"github.com/weirdb/weir/store"
)

// This file turns sections of the configuration into the options of packages.

func openPolicy(ctx context.Context, c *configs.Config, resolver *secrets.Resolver, log *slog.Logger, onReload func(policy.Reloaded)) (*policy.Engine, error) {
	p := c.Policy
	o := policy.Options{Folder: p.Folder, Deadline: p.Deadline, Logger: log, OnReload: onReload,
		ValidateMask: func(function string, args map[string]any) error {
			return masking.Validate(masking.Spec{Function: function, Args: args})
		}}
	if b := p.Bundle; b.Location != "" {
		o.PollInterval = b.Interval
		o.Bundle = &policy.Bundle{Location: b.Location, AllowUnsigned: b.Unsigned}
		if b.PublicKey != "" {
			key, err := os.ReadFile(b.PublicKey)
			if err != nil {
				return nil, fmt.Errorf("read the bundle's public key: %w", err)
			}
			o.Bundle.Keys = map[string]policy.Key{"bundle": {PEM: string(key), Algorithm: b.Algorithm}}
			o.Bundle.KeyID = "bundle"
		}
		if !b.Authorization.IsZero() {
			value, err := resolver.Resolve(ctx, b.Authorization)
			if err != nil {
				return nil, err
			}
			o.Bundle.Header = http.Header{"Authorization": {value.Reveal()}}
		}
	}
	return policy.Open(ctx, o)
}

func journalFolder(c *configs.Config) string {
	if c.Audit.Folder != "" {
		return c.Audit.Folder
	}
	return filepath.Join(c.State, "audit")
}

func openJournal(ctx context.Context, c *configs.Config, resolver *secrets.Resolver, metrics *audit.Metrics, log *slog.Logger) (*audit.Journal, error) {
	a := c.Audit
	o := audit.Options{Dir: journalFolder(c), Durability: audit.Durability(a.Durability), SegmentBytes: int64(a.SegmentSize), SegmentAge: a.SegmentAge,
		RetainAge: a.KeepFor, CheckpointInterval: a.Checkpoint, KeyFile: filepath.Join(c.State, "journal-signing.key"), Metrics: metrics,
		OnState: func(err error) {
			if err != nil {
				log.Error("the audit journal cannot be written; statements stop", "error", err)
				return
			}
			log.Info("the audit journal is written again")
		}}
	if !a.SigningKey.IsZero() {
		key, err := signingKey(ctx, a.SigningKey, resolver)
		if err != nil {
			return nil, err
		}
		o.SigningKey = key
	}
	if a.Stdout {
		o.Sinks = []audit.NamedSink{{Name: "stdout", Sink: audit.NewWriterSink(os.Stdout)}}
	}
	return audit.Open(ctx, o)
}

func signingKey(ctx context.Context, ref secrets.Ref, resolver *secrets.Resolver) (ed25519.PrivateKey, error) {
	value, err := resolver.Resolve(ctx, ref)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode([]byte(value.Reveal()))
	if block == nil {
		return nil, fmt.Errorf("audit.signing_key %s is not PEM", ref)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(ed25519.PrivateKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("audit.signing_key %s is not an Ed25519 key in PKCS #8", ref)
	}
	return key, nil
}

// openStore opens the embedded store, or the one on a server.
func openStore(ctx context.Context, c *configs.Config, resolver *secrets.Resolver) (*store.Store, error) {
	if c.Store.Address == "" {
		return store.Open(ctx, filepath.Join(c.State, "weir.db"), store.Options{})
	}
	if err := os.MkdirAll(c.State, 0o700); err != nil { // keys and the journal are there all the same
		return nil, err
	}
	connector, err := newStoreConnector(ctx, &c.Store, resolver)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return store.OpenPostgres(ctx, connector, store.Options{})
}

// openStoreAlone opens the store for a command.
func openStoreAlone(ctx context.Context, c *configs.Config) (*store.Store, error) {
	resolver, err := newResolver(c, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	return openStore(ctx, c, resolver)
}

// maskingKeys reads the configured secret, or makes one that stays in the state folder.
func maskingKeys(ctx context.Context, c *configs.Config, resolver *secrets.Resolver) (*masking.Keys, error) {
	ref := c.Masking.Key
	if ref.IsZero() {
		path := filepath.Join(c.State, "masking.key")
		if err := generateSecret(path); err != nil {
			return nil, fmt.Errorf("make the masking key: %w", err)
		}
		var err error
		if ref, err = secrets.ParseRef("${file:" + path + "}"); err != nil {
			return nil, err
		}
	}
	value, err := resolver.Resolve(ctx, ref)
	if err != nil {
		return nil, err
	}
	text := strings.TrimSpace(value.Reveal())
	secret, err := hex.DecodeString(text)
	if err != nil {
		secret, err = base64.StdEncoding.DecodeString(text)
	}
	if err != nil || len(secret) != masking.SecretSize {
		return nil, fmt.Errorf("masking.key %s is not %d bytes in hex or base64", ref, masking.SecretSize)
	}
	return masking.NewKeys(secret)
}

func generateSecret(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	secret := make([]byte, masking.SecretSize)
	_, _ = rand.Read(secret) // never fails
	_, err = f.WriteString(hex.EncodeToString(secret) + "\n")
	return errors.Join(err, f.Close())
}

// listenerTLS is the TLS configuration of a listener, nil where it has none.
func listenerTLS(ctx context.Context, l *configs.Listener, c *configs.Config, resolver *secrets.Resolver) (*tls.Config, error) {
	t := l.TLS
	out := &tls.Config{MinVersion: tls.VersionTLS12}
	switch {
	case t.SelfSigned:
		certificate, err := selfSigned(c.State)
		if err != nil {
			return nil, fmt.Errorf("make a self-signed certificate: %w", err)
		}
		out.Certificates = []tls.Certificate{certificate}
	case t.Certificate != "":
		certificate, err := loadCertificate(ctx, t.Certificate, t.Key, resolver)
		if err != nil {
			return nil, err
		}
		out.Certificates = []tls.Certificate{certificate}
	default:
		return nil, nil
	}
	if t.ClientCA != "" {
		pool, err := upstream.LoadCA(t.ClientCA)
		if err != nil {
			return nil, err
		}
		out.ClientCAs, out.ClientAuth = pool, tls.VerifyClientCertIfGiven
		if len(t.ClientCRL) > 0 {
			if out.VerifyPeerCertificate, err = notRevoked(t.ClientCRL); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// notRevoked refuses client certificates, if one is shown, by revocation lists.
func notRevoked(files []string) (func([][]byte, [][]*x509.Certificate) error, error) {
	lists, err := auth.NewRevocations(files)
	if err != nil {
		return nil, err
	}
	return func(_ [][]byte, chains [][]*x509.Certificate) error {
		var faults []error
		for _, chain := range chains { // one good way to an authority will do
			err := lists.Check(chain, time.Now())
			if err == nil {
				return nil
			}
			faults = append(faults, err)
		}
		return errors.Join(faults...)
	}, nil
}

func loadCertificate(ctx context.Context, file string, key secrets.Ref, resolver *secrets.Resolver) (tls.Certificate, error) {
	chain, err := os.ReadFile(file)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read certificate: %w", err)
	}
	value, err := resolver.Resolve(ctx, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	certificate, err := tls.X509KeyPair(chain, []byte(value.Reveal()))
	if err != nil {
		return certificate, fmt.Errorf("certificate %s with key %s: %w", file, key, err)
	}
	return certificate, nil
}

// listenerCertificates checks and holds a listener's TLS, nil where it has none.
func listenerCertificates(ctx context.Context, l *configs.Listener, c *configs.Config, resolver *secrets.Resolver) (*proxy.Certificates, error) {
	config, err := listenerTLS(ctx, l, c, resolver)
	if err != nil || config == nil {
		return nil, err
	}
	return proxy.NewCertificates(config)
}
