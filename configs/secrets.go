package configs

import (
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/weirdb/weir/secrets"
)

// Secrets says where secrets are read from.
type Secrets struct {
	Cache   time.Duration `yaml:"cache" default:"1m" doc:"How long a secret that a provider has given is used without asking again. Environment and files are read each time."`
	Timeout time.Duration `yaml:"timeout" default:"10s" doc:"Bound for reading a secret."`
	Vault   Vault         `yaml:"vault" doc:"HashiCorp Vault or OpenBao, for ${vault:…}."`
	AWS     AWS           `yaml:"aws" doc:"AWS Secrets Manager, for ${aws:…}; credentials by the SDK's default chain."`
	GCP     GCP           `yaml:"gcp" doc:"Google Cloud Secret Manager, for ${gcp:…}; application default credentials."`
	Azure   Azure         `yaml:"azure" doc:"Azure Key Vault, for ${azure:…}; credentials by the SDK's default chain."`
}

// AWS is AWS Secrets Manager.
type AWS struct {
	Region   string `yaml:"region" doc:"The region; the SDK's chain finds one if not set (AWS_REGION, shared files)."`
	Endpoint string `yaml:"endpoint" doc:"URL of a private endpoint."`
}

// GCP is Google Cloud Secret Manager.
type GCP struct {
	Project  string `yaml:"project" doc:"The project of names that are not projects/P/secrets/S."`
	Endpoint string `yaml:"endpoint" doc:"URL of a regional or private endpoint."`
}

// Azure is an Azure Key Vault.
type Azure struct {
	Vault string `yaml:"vault" doc:"https URL of the vault, such as https://shop.vault.azure.net."`
}

// Vault is a server of Vault's API.
type Vault struct {
	Address    string    `yaml:"address" doc:"https URL of the server. Plain http in production for the same machine only, as for an agent."`
	Namespace  string    `yaml:"namespace" doc:"The namespace of every path and of the login."`
	CA         string    `yaml:"ca" doc:"PEM file of authorities; the system's if not set."`
	ServerName string    `yaml:"server_name" doc:"The name that the server's certificate must carry, if not the address's host."`
	Auth       VaultAuth `yaml:"auth" doc:"How weir logs in there. These secrets come from the environment or files."`
}

// VaultAuth is a login to Vault.
type VaultAuth struct {
	Method      string      `yaml:"method" enum:"token,approle,kubernetes,tls" default:"token" doc:"The method."`
	Mount       string      `yaml:"mount" doc:"Where the method is enabled; approle, kubernetes or cert if not set."`
	Role        string      `yaml:"role" doc:"kubernetes: the role. tls: the role, any that fits if not set."`
	Token       secrets.Ref `yaml:"token" doc:"token: the token, renewed where it can be."`
	RoleID      string      `yaml:"role_id" doc:"approle: the role's id."`
	SecretID    secrets.Ref `yaml:"secret_id" doc:"approle: the secret id."`
	JWT         secrets.Ref `yaml:"jwt" default:"${file:/var/run/secrets/kubernetes.io/serviceaccount/token}" doc:"kubernetes: the service account's token, read anew at each login."`
	Certificate string      `yaml:"certificate" doc:"tls: PEM file of weir's certificate."`
	Key         secrets.Ref `yaml:"key" doc:"tls: PEM of its key."`
}

// schemes are the providers in the order of the documentation.
var schemes = []string{"env", "file", "vault", "aws", "gcp", "azure"}

// reference checks one reference: its scheme is known and configured.
func (v *validator) reference(ref secrets.Ref, path string) {
	switch scheme := ref.Scheme(); {
	case scheme == "":
	case !slices.Contains(schemes, scheme):
		v.fault(path, "%s: no secret provider %q; known are %s", path, scheme, strings.Join(schemes, ", "))
	case strings.HasPrefix(path, "secrets.") && scheme != "env" && scheme != "file":
		v.fault(path, "%s is needed to reach a provider; write ${env:NAME} or ${file:/path}", path)
	case scheme == "vault" && v.secrets.Vault.Address == "":
		v.fault(path, "%s is in vault, which is not configured; set secrets.vault.address", path)
	case scheme == "azure" && v.secrets.Azure.Vault == "":
		v.fault(path, "%s is in azure, which is not configured; set secrets.azure.vault", path)
	}
}

// user checks a datasource's user, which may be a reference.
func (v *validator) user(user, path string) {
	if !strings.HasPrefix(user, "${") {
		return
	}
	ref, err := secrets.ParseRef(user)
	if err != nil {
		v.fault(path, "%s: %s", path, err)
		return
	}
	v.reference(ref, path)
}

func (v *validator) secretSources(s *Secrets) {
	v.atLeast("secrets.cache", int64(s.Cache), int64(time.Second), "1s")
	v.atLeast("secrets.timeout", int64(s.Timeout), int64(100*time.Millisecond), "100ms")
	if s.Vault.Address != "" {
		v.vault(&s.Vault)
	}
	for _, u := range []struct{ address, path string }{{s.AWS.Endpoint, "secrets.aws.endpoint"},
		{s.GCP.Endpoint, "secrets.gcp.endpoint"}, {s.Azure.Vault, "secrets.azure.vault"}} {
		if u.address != "" {
			v.secretURL(u.address, u.path)
		}
	}
}

func (v *validator) vault(c *Vault) {
	v.secretURL(c.Address, "secrets.vault.address")
	v.file(c.CA, "secrets.vault.ca")
	a := &c.Auth
	missing := func(key string, is bool) {
		if is {
			v.fault("secrets.vault.auth", "method %s needs secrets.vault.auth.%s", a.Method, key)
		}
	}
	switch a.Method {
	case "token":
		missing("token", a.Token.IsZero())
	case "approle":
		missing("role_id", a.RoleID == "")
		missing("secret_id", a.SecretID.IsZero())
	case "kubernetes":
		missing("role", a.Role == "")
	case "tls":
		missing("certificate", a.Certificate == "")
		missing("key", a.Key.IsZero())
	}
	v.file(a.Certificate, "secrets.vault.auth.certificate")
}

// secretURL checks the address of a provider: nothing secret goes over a
// network in clear.
func (v *validator) secretURL(address, path string) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		v.fault(path, "%s is not a URL such as https://vault.example:8200", path)
		return
	}
	ip := net.ParseIP(u.Hostname())
	local := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if u.Scheme == "http" && !local && !v.development {
		v.fault(path, "%s would send secrets over the network in clear, which the production profile refuses; use https", path)
	}
}
