package azure_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/weirdb/weir/secrets"
	"github.com/weirdb/weir/secrets/azure"
)

// serve challenges for a bearer token and answers as version 7 of the API does.
func serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if r.Host == "login.microsoftonline.com" {
		authority(w, r)
		return
	}
	if r.Header.Get("Authorization") != "Bearer eyJ.good" {
		w.Header().Set("WWW-Authenticate", `Bearer authorization="https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555", resource="https://vault.azure.net"`)
		w.WriteHeader(401)
		fmt.Fprint(w, `{"error":{"code":"Unauthorized","message":"AKV10000"}}`)
		return
	}
	value, ok := map[string]string{"/secrets/db-app/": `{\"password\":\"newest\"}`, "/secrets/db-app/v1": `{\"password\":\"first\"}`, "/secrets/text/": "plain"}[r.URL.Path]
	if !ok {
		w.WriteHeader(404)
		fmt.Fprint(w, `{"error":{"code":"SecretNotFound","message":"A secret with (name/id) was not found in this key vault."}}`)
		return
	}
	fmt.Fprintf(w, `{"value":"%s","id":"https://shop.vault.azure.net%s","attributes":{"enabled":true}}`, value, r.URL.Path)
}

// authority gives a token for a client secret, as Entra does.
func authority(w http.ResponseWriter, r *http.Request) {
	const tenant = "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555"
	switch {
	case strings.HasSuffix(r.URL.Path, "/discovery/instance"):
		fmt.Fprintf(w, `{"tenant_discovery_endpoint":"%s/v2.0/.well-known/openid-configuration","metadata":[{"preferred_network":"login.microsoftonline.com","preferred_cache":"login.windows.net","aliases":["login.microsoftonline.com"]}]}`, tenant)
	case strings.HasSuffix(r.URL.Path, "/openid-configuration"):
		fmt.Fprintf(w, `{"token_endpoint":"%[1]s/oauth2/v2.0/token","authorization_endpoint":"%[1]s/oauth2/v2.0/authorize","issuer":"%[1]s/v2.0"}`, tenant)
	case r.FormValue("grant_type") == "client_credentials" && r.FormValue("client_secret") == "right" && strings.HasPrefix(r.FormValue("scope"), "https://vault.azure.net/.default"):
		fmt.Fprint(w, `{"token_type":"Bearer","expires_in":3600,"access_token":"eyJ.good"}`)
	default:
		w.WriteHeader(401)
		fmt.Fprint(w, `{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided."}`)
	}
}

type token string

func (k token) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: string(k), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

func TestRead(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(serve))
	defer s.Close()
	client := s.Client()
	transport := client.Transport.(*http.Transport)
	transport.TLSClientConfig.ServerName = "example.com" // what the test's certificate names
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, s.Listener.Addr().String())
	}
	open := func(k azcore.TokenCredential) *secrets.Resolver {
		p, err := azure.Open(azure.Options{Vault: "https://shop.vault.azure.net", HTTP: client, Credential: k})
		if err != nil {
			t.Fatal(err)
		}
		return secrets.New(secrets.Options{Providers: map[string]secrets.Provider{"azure": p}})
	}
	good, bad := open(token("eyJ.good")), open(token("eyJ.swordfish"))
	for name, value := range map[string]string{"AZURE_TENANT_ID": "11111111-2222-3333-4444-555555555555", "AZURE_CLIENT_ID": "weir",
		"AZURE_CLIENT_SECRET": "right", "AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential"} {
		t.Setenv(name, value)
	}
	chain := open(nil)
	t.Setenv("AZURE_CLIENT_SECRET", "swordfish")
	refused := open(nil)
	defer chain.Close()
	defer refused.Close()
	defer good.Close()
	defer bad.Close()
	for _, c := range []struct {
		r                   *secrets.Resolver
		text, secret, fault string
	}{
		{good, "${azure:db-app#password}", "newest", ""},
		{good, "${azure:db-app?version=v1#password}", "first", ""},
		{good, "${azure:text}", "plain", ""},
		{good, "${azure:none}", "", "404 SecretNotFound"},
		{good, "${azure:shop/db-app}", "", "no / in it"},
		{good, "${azure:text?stage=x}", "", "no stages"},
		{chain, "${azure:db-app#password}", "newest", ""},
		{refused, "${azure:text}", "", "AADSTS7000215"},
		{bad, "${azure:text}", "", "401 Unauthorized"},
	} {
		ref, err := secrets.ParseRef(c.text)
		if err != nil {
			t.Fatal(err)
		}
		v, err := c.r.Resolve(t.Context(), ref)
		switch {
		case c.fault == "" && (err != nil || v.Reveal() != c.secret):
			t.Errorf("%s: %q, %v", c.text, v.Reveal(), err)
		case c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)):
			t.Errorf("%s: %v, want an error with %q", c.text, err, c.fault)
		case err != nil && strings.Contains(err.Error(), "swordfish"):
			t.Errorf("%s: a secret shows: %v", c.text, err)
		}
	}
}
